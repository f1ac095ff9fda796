import pg from 'pg'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { migrate } from '../../migrations/migrate.ts'
import { scratchDatabase } from '../../migrations/scratch-database.ts'
import { type Point, seedTenant } from '../test/seed-tenant.ts'
import { applyRetention } from './apply-retention.ts'
import { dropPartition, selectPartitions } from './retention-sql.ts'

const DAY = 86_400_000
const NOW = Date.UTC(2001, 5, 15, 12)

// Retention works on every tenant, so these tests have a database of their own.
let scratch: Awaited<ReturnType<typeof scratchDatabase>>
let pool: pg.Pool
beforeAll(async () => {
  scratch = await scratchDatabase(inject('databaseUrl'))
  await migrate(scratch.url)
  pool = new pg.Pool({ connectionString: scratch.url, max: 4 })
})
afterAll(async () => {
  await pool.end()
  await scratch.drop()
})

const count = async (table: string, tenantId: string) =>
  (await pool.query(`select 1 from ${table} where tenant_id = $1`, [tenantId])).rowCount

it('deletes what is past each tenant’s own retention, and nothing else', async () => {
  const short = await seedTenant(pool)
  const long = await seedTenant(pool)
  await pool.query('update tenants set retention_days = 3 where id = $1', [short.tenantId])
  const points = Array.from({ length: 10 }, (_, i): Point => [NOW - i * DAY - 1, i])
  for (const tenant of [short, long]) {
    const series = await tenant.series('pump', 'temperature')
    await tenant.write(series, points, { datapoints: true })
    for (const [i, received] of points.entries()) {
      await pool.query(
        `insert into batches (tenant_id, batch_id, r2_key, status, received_at) values ($1, $2, 'k', 'persisted', $3)`,
        [tenant.tenantId, `b${i}`, new Date(received[0])],
      )
    }
  }
  const { deleted } = await applyRetention(pool, NOW)
  expect(deleted).toMatchObject({ datapoints: 7, window_aggregates: 7, batches: 7 })
  for (const table of ['datapoints', 'window_aggregates', 'batches']) {
    expect(await count(table, short.tenantId)).toBe(3)
    expect(await count(table, long.tenantId)).toBe(10)
  }
  expect((await applyRetention(pool, NOW)).deleted).toMatchObject({ datapoints: 0, batches: 0 })
})

it('makes the partitions of the coming days and drops those that no tenant needs', async () => {
  const now = Date.UTC(2002, 0, 1, 12)
  await applyRetention(pool, now)
  const names = async () => (await selectPartitions(pool)).map(({ name }) => name)
  expect(await names()).toEqual(expect.arrayContaining(['datapoints_20020101', 'datapoints_20020115']))
  const { rows } = await pool.query('select max(retention_days) as longest from tenants')
  const lastNeeded = now + (rows[0].longest + 1) * DAY
  expect((await applyRetention(pool, lastNeeded)).partitionsMade).toBeGreaterThan(0)
  expect(await names()).toContain('datapoints_20020101')
  await applyRetention(pool, lastNeeded + DAY)
  expect(await names()).not.toContain('datapoints_20020101')
  expect(await names()).toContain('datapoints_20020103')
})

it('drops nothing but daily partitions', async () => {
  await expect(dropPartition(pool, 'datapoints_default')).rejects.toThrow(RangeError)
})
