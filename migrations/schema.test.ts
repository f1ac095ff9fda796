import { randomUUID } from 'node:crypto'
import { neon, neonConfig } from '@neondatabase/serverless'
import { eq, getTableColumns, is } from 'drizzle-orm'
import { drizzle as neonDrizzle } from 'drizzle-orm/neon-http'
import { drizzle as pgDrizzle } from 'drizzle-orm/node-postgres'
import { getTableConfig, PgTable } from 'drizzle-orm/pg-core'
import pg from 'pg'
import { afterAll, describe, expect, inject, test } from 'vitest'
import { metricIdOf } from '../telemetry/series-id.ts'
import * as alerting from './alerting-schema.ts'
import * as schema from './schema.ts'

const databaseUrl = inject('databaseUrl')
const pool = new pg.Pool({ connectionString: databaseUrl, max: 1 })
neonConfig.fetchEndpoint = inject('workerBindings')['NEON_PROXY_URL']!
afterAll(() => pool.end())

const TABLES = Object.values({ ...schema, ...alerting }).filter((value) => is(value, PgTable))

/** One line a column: `table.column type [not null] [default]`. */
async function columnsOfDatabase(): Promise<string[]> {
  const { rows } = await pool.query<{ line: string }>(`
    select concat_ws(' ', c.relname || '.' || a.attname, format_type(a.atttypid, a.atttypmod),
             case when a.attnotnull then 'not null' end,
             case when a.atthasdef or a.attidentity <> '' then 'default' end) as line
      from pg_class c join pg_attribute a on a.attrelid = c.oid
     where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
       and a.attnum > 0 and not a.attisdropped and c.relname <> 'schema_migrations'`)
  return rows.map((row) => row.line).sort()
}

function columnsOfSchema(): string[] {
  return TABLES.flatMap((table) => {
    const { name, columns } = getTableConfig(table)
    return columns.map((column) => {
      const line = [`${name}.${column.name}`, column.getSQLType()]
      if (column.notNull) line.push('not null')
      if (column.hasDefault || column.generatedIdentity || column.generated) line.push('default')
      return line.join(' ')
    })
  }).sort()
}

test('the drizzle schema and the migrated database hold the same columns, types and defaults', async () => {
  const columns = columnsOfSchema()
  expect(columns.length).toBeGreaterThan(100)
  expect(columns).toEqual(await columnsOfDatabase())
})

test('the words a column may hold are the same in the drizzle schema and in the database', async () => {
  const { rows } = await pool.query<{ column: string; check: string }>(`
    select conrelid::regclass || '.' || attname as column, pg_get_constraintdef(pg_constraint.oid) as check
      from pg_constraint join pg_attribute on attrelid = conrelid and array[attnum] = conkey
     where contype = 'c' and connamespace = 'public'::regnamespace`)
  const ofDatabase = rows
    .filter(({ check }) => check.includes('ANY (ARRAY['))
    .map(({ column, check }) => [column, [...check.matchAll(/'(\w+)'/g)].map(([, word]) => word)])
  const ofSchema = TABLES.flatMap((table) => {
    const { name, columns } = getTableConfig(table)
    return columns.map(({ name: column, enumValues = [] }) => [`${name}.${column}`, enumValues] as const)
  }).filter(([, words]) => words.length > 0)
  expect(ofSchema.length).toBeGreaterThan(3)
  expect(Object.fromEntries(ofSchema)).toEqual(Object.fromEntries(ofDatabase))
})

test('every column is camelCase in code and the same words in snake_case in SQL', () => {
  for (const table of TABLES) {
    for (const [key, column] of Object.entries(getTableColumns(table))) {
      expect(column.name).toBe(key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`))
    }
  }
})

describe.each([
  ['node-postgres', pgDrizzle(pool)],
  ['neon-http', neonDrizzle(neon(databaseUrl))],
])('through %s', (_, db) => {
  test('a window aggregate comes back with the values and the types it was written with', async () => {
    const tenantId = randomUUID()
    const metricId = metricIdOf(tenantId, 'pump-7', 'temperature')
    const deviceId = randomUUID()
    const at = new Date('2026-01-01T00:00:00.123Z')
    const part = {
      ...{ tenantId, metricId, windowStart: at, firstTs: at, lastTs: at, shard: 3, part: 2 ** 53 - 1 },
      ...{ count: 2, mean: 0.1 + 0.2, m2: 5e-324, min: -1e308, max: 1e308, median: -0.5, mad: 0 },
      sketch: Uint8Array.of(0, 1, 127, 128, 255),
    }
    await db.insert(schema.tenants).values({ id: tenantId, name: tenantId })
    await db.insert(schema.devices).values({ tenantId, id: deviceId, externalId: 'pump-7', lastSeenAt: at })
    await db.insert(schema.metrics).values({ tenantId, id: metricId, deviceId, name: 'temperature' })
    await db.insert(schema.windowAggregates).values(part)

    const [row] = await db
      .select()
      .from(schema.windowAggregates)
      .where(eq(schema.windowAggregates.tenantId, tenantId))
    expect(row).toEqual({ ...part, superseded: null, revision: null, createdAt: expect.any(Date) })
  })

  test('arrays, days and JSON keep their shape', async () => {
    const tenantId = randomUUID()
    const rateLimit = { datapoints_per_second: 1000, batches_per_second: 5 }
    await db.insert(schema.tenants).values({ id: tenantId, name: tenantId, rateLimit })
    const key = { tenantId, id: randomUUID(), keyHash: tenantId, createdAt: new Date(0) }
    await db.insert(schema.apiKeys).values({ ...key, scopes: ['ingest', 'read'] })
    await db.insert(schema.usageDaily).values({ tenantId, day: '2026-01-31', bytes: 2 ** 40 })

    const tenant = await db.select().from(schema.tenants).where(eq(schema.tenants.id, tenantId))
    const keys = await db.select().from(schema.apiKeys).where(eq(schema.apiKeys.tenantId, tenantId))
    const usage = await db.select().from(schema.usageDaily).where(eq(schema.usageDaily.tenantId, tenantId))
    expect(tenant).toMatchObject([{ rateLimit, state: 'active', retentionDays: 30 }])
    expect(keys).toMatchObject([{ scopes: ['ingest', 'read'], expiresAt: null }])
    expect(usage).toMatchObject([{ day: '2026-01-31', bytes: 2 ** 40, datapoints: 0 }])
  })
})
