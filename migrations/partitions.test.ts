import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { afterAll, afterEach, beforeEach, expect, inject, test } from 'vitest'
import { migrate } from './migrate.ts'
import { scratchDatabase } from './scratch-database.ts'

/* In a database of its own, where each test is a transaction that is rolled back: partitions lock the table. */

const scratch = await scratchDatabase(inject('databaseUrl'))
await migrate(scratch.url)
const pool = new pg.Pool({ connectionString: scratch.url, max: 2 })
let client: pg.PoolClient
const tenantId = randomUUID()

beforeEach(async () => {
  client = await pool.connect()
  await client.query('begin')
})

afterEach(async () => {
  await client.query('rollback')
  client.release()
})

afterAll(async () => {
  await pool.end()
  await scratch.drop()
})

async function ensure(from: string, to: string, on: pg.PoolClient = client): Promise<number> {
  const { rows } = await on.query('select ensure_datapoint_partitions($1, $2) as made', [from, to])
  return rows[0].made
}

async function insert(...times: string[]): Promise<void> {
  for (const ts of times) {
    await client.query('insert into datapoints values ($1, $1, $2, 1.5, 7)', [tenantId, ts])
  }
}

/** Which partition holds which timestamp. */
async function places(): Promise<Record<string, string>> {
  const { rows } = await client.query<{ ts: Date; place: string }>(
    'select ts, tableoid::regclass::text as place from datapoints where tenant_id = $1 order by ts',
    [tenantId],
  )
  return Object.fromEntries(rows.map(({ ts, place }) => [ts.toISOString(), place]))
}

test('partitions are made for both ends and every day between, once', async () => {
  expect(await ensure('1996-02-28', '1996-03-01')).toBe(3)
  expect(await ensure('1996-02-28', '1996-03-01')).toBe(0)
  expect(await ensure('1996-02-27', '1996-03-02')).toBe(2)
})

test('days in the wrong order make nothing', async () => {
  expect(await ensure('1996-03-01', '1996-02-28')).toBe(0)
})

test('a day runs from midnight to midnight UTC, whatever the time zone of the session', async () => {
  await client.query(`set local timezone = 'Pacific/Auckland'`)
  await ensure('1996-02-29', '1996-02-29')
  await insert(
    '1996-02-28T23:59:59.999Z',
    '1996-02-29T00:00:00Z',
    '1996-02-29T23:59:59.999Z',
    '1996-03-01T00:00Z',
  )
  expect(await places()).toEqual({
    '1996-02-28T23:59:59.999Z': 'datapoints_default',
    '1996-02-29T00:00:00.000Z': 'datapoints_19960229',
    '1996-02-29T23:59:59.999Z': 'datapoints_19960229',
    '1996-03-01T00:00:00.000Z': 'datapoints_default',
  })
})

test('rows of the day that sit in the default partition move to the new one unchanged', async () => {
  await insert('1996-02-28T23:59:59.999Z', '1996-02-29T12:00:00Z', '1996-03-01T00:00:00Z')
  await ensure('1996-02-29', '1996-02-29')
  expect(await places()).toEqual({
    '1996-02-28T23:59:59.999Z': 'datapoints_default',
    '1996-02-29T12:00:00.000Z': 'datapoints_19960229',
    '1996-03-01T00:00:00.000Z': 'datapoints_default',
  })
  const { rows } = await client.query('select value, version from datapoints_19960229')
  expect(rows).toEqual([{ value: 1.5, version: '7' }])
})

test('a datapoint stays unique by tenant, metric and time in a partition made later', async () => {
  await ensure('1996-02-29', '1996-02-29')
  await insert('1996-02-29T12:00:00Z')
  await expect(insert('1996-02-29T12:00:00Z')).rejects.toMatchObject({ code: '23505' })
})

test('a session that wants the same days waits for the first and then finds them made', async () => {
  const other = await pool.connect()
  try {
    await client.query('commit')
    await client.query('begin')
    expect(await ensure('1996-02-29', '1996-02-29')).toBe(1)
    const second = ensure('1996-02-28', '1996-02-29', other)
    await client.query('commit')
    expect(await second).toBe(1) // the 28th alone
  } finally {
    other.release()
    await pool.query('drop table datapoints_19960228, datapoints_19960229')
  }
})

test('a row of the day that is being written while the partition is made moves as well', async () => {
  await client.query('commit')
  await client.query('begin')
  await insert('1996-02-29T12:00:00Z')
  const other = await pool.connect()
  try {
    const made = ensure('1996-02-29', '1996-02-29', other)
    await expect.poll(() => waiting()).toBe(1)
    await client.query('commit')
    expect(await made).toBe(1)
    expect(await places()).toEqual({ '1996-02-29T12:00:00.000Z': 'datapoints_19960229' })
  } finally {
    other.release()
    await pool.query('drop table if exists datapoints_19960229')
  }
})

/** How many sessions wait for a lock. */
async function waiting(): Promise<number> {
  const { rows } = await client.query('select count(distinct pid)::int as n from pg_locks where not granted')
  return rows[0].n
}
