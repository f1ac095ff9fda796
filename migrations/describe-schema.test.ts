import { readFileSync } from 'node:fs'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { describeSchema } from './describe-schema.ts'
import { migrate, readMigrations } from './migrate.ts'
import { scratchDatabase } from './scratch-database.ts'

let scratch: Awaited<ReturnType<typeof scratchDatabase>>
let client: pg.Client

beforeAll(async () => {
  scratch = await scratchDatabase(inject('databaseUrl'))
  client = new pg.Client({ connectionString: scratch.url })
  await client.connect()
})
afterAll(async () => {
  await client.end()
  await scratch.drop()
})

test('migrations make of an empty database what schema.txt says, and a second run changes nothing', async () => {
  const described = readFileSync(new URL('./schema.txt', import.meta.url), 'utf8')
  expect(await migrate(scratch.url)).toHaveLength(readMigrations().length)
  const migrated = await describeSchema(scratch.url)
  expect(migrated, 'refresh migrations/schema.txt with `npm run schema`, and read what changed').toBe(
    described,
  )
  expect(await migrate(scratch.url)).toEqual([])
  expect(await describeSchema(scratch.url)).toBe(migrated)
})

test('partitions of single days are no part of it', async () => {
  const before = await describeSchema(scratch.url)
  await client.query('select ensure_datapoint_partitions(current_date, current_date + 2)')
  expect(await describeSchema(scratch.url)).toBe(before)
})

describe('it shows', () => {
  test.each([
    'alter table devices add column label text',
    'alter table devices alter column label type varchar(9)',
    'alter table devices alter column label set not null',
    `alter table devices alter column label set default 'none'`,
    `alter table devices add constraint labelled check (label <> '') not valid`,
    'alter table devices validate constraint labelled',
    'alter table devices add unique (tenant_id, label)',
    'create index by_label on devices (label)',
    'drop index by_label',
    'alter table batches drop constraint batches_tenant_id_fkey',
    'alter table batches set (fillfactor = 70)',
    'alter table batches disable row level security',
    'alter table batches force row level security',
    `create policy own on batches using (tenant_id::text = current_setting('edgepulse.tenant', true))`,
    'grant select on batches to public',
    'grant select (external_id) on devices to public',
    'create view labels as select label from devices',
    `create type colour as enum ('red')`,
    'create sequence numbers',
    'create function one() returns int language sql return 1',
    'create or replace function one() returns int language sql return 2',
    'create trigger unchanged before update on devices for each row execute function suppress_redundant_updates_trigger()',
    "create table other_default partition of datapoints for values from (minvalue) to ('1970-01-01')",
    'drop table usage_daily',
  ])('%s', async (statement) => {
    const before = await describeSchema(scratch.url)
    await client.query(statement)
    expect(await describeSchema(scratch.url)).not.toBe(before)
  })
})
