import { createHash } from 'node:crypto'
import pg from 'pg'
import { afterEach, beforeEach, expect, inject, test } from 'vitest'
import { type Migration, migrate, readMigrations } from './migrate.ts'
import { scratchDatabase } from './scratch-database.ts'

/* Every test has an empty database of its own. */

let scratch: Awaited<ReturnType<typeof scratchDatabase>>
let databaseUrl: string
let client: pg.Client

beforeEach(async () => {
  scratch = await scratchDatabase(inject('databaseUrl'))
  databaseUrl = scratch.url
  client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
})

afterEach(async () => {
  await client.end()
  await scratch.drop()
})

const migration = (name: string, sql: string): Migration => ({
  name,
  sql,
  sha256: createHash('sha256').update(sql).digest('hex'),
})

const names = readMigrations().map(({ name }) => name)

const applied = async () =>
  (
    await client.query<{ name: string }>('select name from schema_migrations order by applied_at, name')
  ).rows.map(({ name }) => name)

const tableExists = async (table: string) =>
  (await client.query('select to_regclass($1) is not null as found', [table])).rows[0].found

test('every file has a number of its own', () => {
  expect(new Set(names.map((name) => name.slice(0, 4))).size).toBe(names.length)
})

test('an empty database takes every migration in order', async () => {
  expect(await migrate(databaseUrl)).toEqual(names)
  expect(await applied()).toEqual(names)
})

test('a second run has nothing to do', async () => {
  await migrate(databaseUrl)
  expect(await migrate(databaseUrl)).toEqual([])
})

test('only what is new is applied to a database of an older version', async () => {
  await migrate(databaseUrl, [migration('0001_a', 'create table a (id int)')])
  const newer = [
    migration('0001_a', 'create table a (id int)'),
    migration('0002_b', 'create table b (id int)'),
  ]
  expect(await migrate(databaseUrl, newer)).toEqual(['0002_b'])
})

test('of runners that start together one applies and the others find nothing to do', async () => {
  const runs = await Promise.all([migrate(databaseUrl), migrate(databaseUrl), migrate(databaseUrl)])
  expect(runs.filter((done) => done.length > 0)).toEqual([names])
  expect(await applied()).toEqual(names)
})

test('a runner waits for the one that holds the lock, rather than failing', async () => {
  const first = migration('0001_first', 'create table first (id int)')
  const locks = `select count(*)::int as waiting from pg_locks where locktype = 'advisory' and not granted
    and database = (select oid from pg_database where datname = current_database())`
  await client.query('select pg_advisory_lock(7203114001)')
  const run = migrate(databaseUrl, [first])
  await expect.poll(async () => (await client.query(locks)).rows[0].waiting).toBe(1)
  expect(await tableExists('first')).toBe(false)
  await client.query('select pg_advisory_unlock(7203114001)')
  expect(await run).toEqual(['0001_first'])
})

test('a migration that was edited after it was applied is refused, and nothing after it is applied', async () => {
  await migrate(databaseUrl, [migration('0001_a', 'create table a (id int)')])
  const edited = [
    migration('0001_a', 'create table a (id bigint)'),
    migration('0002_b', 'create table b (id int)'),
  ]
  await expect(migrate(databaseUrl, edited)).rejects.toThrow('0001_a was edited')
  expect(await tableExists('b')).toBe(false)
})

test('a failing migration leaves nothing of itself behind, keeps those before it, and can be mended', async () => {
  const good = migration('0001_good', 'create table good (id int)')
  const bad = migration('0002_bad', 'create table bad (id int); select 1 / 0')
  await expect(migrate(databaseUrl, [good, bad])).rejects.toThrow('0002_bad failed and was rolled back')
  expect(await applied()).toEqual(['0001_good'])
  expect(await tableExists('bad')).toBe(false)

  const mended = migration('0002_bad', 'create table bad (id int)')
  expect(await migrate(databaseUrl, [good, mended])).toEqual(['0002_bad'])
})
