import { randomUUID } from 'node:crypto'
import { getTableName, is } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { PgTable } from 'drizzle-orm/pg-core'
import pg from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import * as alerting from './alerting-schema.ts'
import * as schema from './schema.ts'

/* No row of one tenant can point at another's: every reference carries tenant_id. */

const pool = new pg.Pool({ connectionString: inject('databaseUrl'), max: 1 })
const db = drizzle(pool)
const FOREIGN_KEY_VIOLATION = '23503'
const at = '2026-01-01T00:00:00Z'

interface Tenant {
  id: string
  device: string
  metric: string
  rule: string
  webhook: string
}

async function makeTenant(): Promise<Tenant> {
  const tenant = {
    ...{ id: randomUUID(), device: randomUUID(), metric: randomUUID() },
    ...{ rule: randomUUID(), webhook: randomUUID() },
  }
  const { id, device, metric, rule, webhook } = tenant
  const at = new Date()
  await db.insert(schema.tenants).values({ id, name: id })
  await db.insert(schema.devices).values({ tenantId: id, id: device, externalId: 'd', lastSeenAt: at })
  await db.insert(schema.metrics).values({ tenantId: id, id: metric, deviceId: device, name: 'm' })
  await db.insert(alerting.alertRules).values({ tenantId: id, id: rule, name: 'r', threshold: 1 })
  await db.insert(alerting.webhookEndpoints).values({ tenantId: id, id: webhook, url: 'u', secret: 's' })
  return tenant
}

let mine: Tenant
let theirs: Tenant
beforeAll(async () => {
  mine = await makeTenant()
  theirs = await makeTenant()
})
afterAll(() => pool.end())

const cases: { row: string; sql: string; references: (owner: Tenant, self: Tenant) => string[] }[] = [
  {
    row: 'metric',
    sql: `insert into metrics (tenant_id, id, device_id, name) values ($1, gen_random_uuid(), $2, 'another')`,
    references: (owner) => [owner.device],
  },
  {
    row: 'window aggregate',
    sql: `insert into window_aggregates values ($1, $2, '${at}', 0, 0, 1, 1, 0, 1, 1, 1, 0, '${at}', '${at}', '')`,
    references: (owner) => [owner.metric],
  },
  {
    row: 'corrected window',
    sql: `insert into corrected_windows (tenant_id, metric_id, window_start) values ($1, $2, '${at}')`,
    references: (owner) => [owner.metric],
  },
  {
    row: 'due metric',
    sql: 'insert into due_metrics (tenant_id, metric_id) values ($1, $2)',
    references: (owner) => [owner.metric],
  },
  {
    row: 'model',
    sql: `insert into models (tenant_id, id, metric_id, path, sha256, trained_until)
          values ($1, gen_random_uuid(), $2, 'p', 's', '${at}')`,
    references: (owner) => [owner.metric],
  },
  {
    row: 'score',
    sql: `insert into anomaly_scores (tenant_id, metric_id, window_start, window_end, score, onset_score, state, scored_at)
          values ($1, $2, '${at}', '${at}', 0, 0, 'learning', '${at}')`,
    references: (owner) => [owner.metric],
  },
  {
    row: 'alert rule',
    sql: `insert into alert_rules (tenant_id, id, name, metric_id, threshold) values ($1, gen_random_uuid(), 'r', $2, 1)`,
    references: (owner) => [owner.metric],
  },
  {
    row: 'alert cursor on a metric',
    sql: `insert into alert_cursors (tenant_id, rule_id, metric_id, last_window_end) values ($1, $2, $3, '${at}')`,
    references: (owner, self) => [self.rule, owner.metric],
  },
  {
    row: 'alert event on a rule',
    sql: `insert into alert_events (tenant_id, id, rule_id, metric_id, window_end, score, threshold, state, opened_at)
          values ($1, gen_random_uuid(), $2, $3, '${at}', 1, 1, 'open', '${at}')`,
    references: (owner, self) => [owner.rule, self.metric],
  },
  {
    row: 'webhook delivery',
    sql: `insert into webhook_deliveries (tenant_id, id, webhook_id, event_key, type, body)
          values ($1, gen_random_uuid(), $2, 'k', 'webhook.test', '{}')`,
    references: (owner) => [owner.webhook],
  },
]

test.each(cases.map((each) => [each.row, each] as const))(
  "%s: a reference to another tenant's row is refused, the same to its own is taken",
  async (_, { sql, references }) => {
    await expect(pool.query(sql, [mine.id, ...references(theirs, mine)])).rejects.toMatchObject({
      code: FOREIGN_KEY_VIOLATION,
    })
    await pool.query(sql, [mine.id, ...references(mine, mine)])
  },
)

test('every foreign key but those to tenants carries tenant_id', async () => {
  const { rows } = await pool.query(`
    select conrelid::regclass || '.' || conname as key from pg_constraint
     where contype = 'f' and connamespace = 'public'::regnamespace and confrelid <> 'tenants'::regclass
       and not exists (select from pg_attribute a where a.attrelid = conrelid and a.attnum = any (conkey)
                          and a.attname = 'tenant_id')`)
  expect(rows).toEqual([])
})

test('deleting a tenant removes every row that references it', async () => {
  const gone = await makeTenant()
  for (const { sql, references } of cases) await pool.query(sql, [gone.id, ...references(gone, gone)])
  await pool.query('delete from tenants where id = $1', [gone.id])
  for (const table of Object.values({ ...schema, ...alerting })) {
    if (!is(table, PgTable) || table === schema.tenants) continue
    const left = await pool.query(`select from ${getTableName(table)} where tenant_id = $1`, [gone.id])
    expect(left.rowCount, getTableName(table)).toBe(0)
  }
})
