import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { insertDatapoints } from '../../telemetry/batch-statements.ts'
import { DAY_MS } from '../../telemetry/retention-periods.ts'
import { EmptyDatabase, pointsAt } from '../testing/empty-database.ts'
import { applyRetention } from './apply-retention.ts'
import { countDefault, ensurePartitions } from './retention-sql.ts'

const NOW = Date.UTC(2001, 5, 15, 12, 2)
const TODAY = Date.UTC(2001, 5, 15)

const database = new EmptyDatabase()

describe('the default partition', () => {
  it('gives up what a tenant that is gone has left there', async () => {
    const tenant = await database.tenant(30)
    await applyRetention(database.pool, NOW)
    const gone = randomUUID()
    const times = pointsAt(NOW, NOW - 90 * DAY_MS)
    await database.pool.query(insertDatapoints(gone, [gone], times))
    await database.pool.query(insertDatapoints(tenant.tenantId, [gone], pointsAt(NOW)))
    expect((await applyRetention(database.pool, NOW)).deleted.datapoints).toBe(1)
    expect(await database.count('datapoints')).toBe(2) // the other goes with its day
  })

  it('keeps what is too much to move in one go when others want days, and loses it in short steps', async () => {
    const tenant = await database.tenant(30)
    const { metricId } = await tenant.series('pump', 'temperature')
    const many = (version: number) =>
      database.pool.query(
        `insert into datapoints select $1, $2, $3::timestamptz - n * interval '1 s', n, $4
         from generate_series(0, 59999) as n
         on conflict (tenant_id, metric_id, ts) do update set value = -excluded.value, version = excluded.version`,
        [tenant.tenantId, metricId, new Date(NOW), version],
      )
    await many(1)
    expect(await ensurePartitions(database.pool, TODAY - DAY_MS, TODAY)).toBe(0)
    const counts: number[] = []
    // Between any two steps readers see all rows; writers correct one, take one away and bring another.
    const busy = database.before(async (text) => {
      if (!text.includes('_default_')) return
      counts.push(await database.count('datapoints'))
      const at = (seconds: number) => new Date(NOW - seconds * 1000)
      await database.pool.query(
        `with corrected as (update datapoints set value = -7777, version = 9
           where tenant_id = $1 and metric_id = $2 and ts = $3),
         gone as (delete from datapoints where tenant_id = $1 and metric_id = $2 and ts = $4)
         insert into datapoints values ($1, $2, $5, -8888, 1)`,
        [tenant.tenantId, metricId, ...[7, 9, 70_000].map((from) => at(from + counts.length * 1000))],
      )
    })
    expect(await applyRetention(busy, NOW)).toMatchObject({ daysMade: 45, daysMissing: 0 })
    expect(counts.length).toBeGreaterThan(4)
    expect(new Set(counts)).toEqual(new Set([60_000]))
    expect([await countDefault(database.pool, 9), await database.count('datapoints')]).toEqual([0, 60_000])
    const { rows } = await database.pool.query(
      `select count(*) filter (where value = -7777)::int as corrected, count(*) filter (where value = -8888)::int as new
       from datapoints`,
    )
    expect(rows).toEqual([{ corrected: counts.length, new: counts.length }])
    await many(10) // writes go on as before, and those taken away come again
    expect(await database.count('datapoints')).toBe(60_000 + counts.length)
  })

  it('is moved to the end by the next run when one was killed in between', async () => {
    const tenant = await database.tenant(30)
    const { metricId } = await tenant.series('pump', 'temperature')
    await database.pool.query(
      `insert into datapoints select $1, $2, $3::timestamptz - n * interval '1 s', n, 1 from generate_series(0, 59999) as n`,
      [tenant.tenantId, metricId, new Date(NOW)],
    )
    const killed = {
      onChunk: () => {
        throw new Error('killed')
      },
    }
    await expect(applyRetention(database.pool, NOW, killed)).rejects.toThrow('killed')
    await database.pool.query(
      insertDatapoints(tenant.tenantId, [metricId], pointsAt(NOW - 61_000_000, NOW + 1)),
    )
    expect(await database.count('datapoints')).toBe(60_002)
    const both = await Promise.all([applyRetention(database.pool, NOW), applyRetention(database.pool, NOW)])
    expect(both.map(({ daysPostponed }) => daysPostponed)).toEqual([0, 0])
    expect([await database.count('datapoints'), await countDefault(database.pool, 9)]).toEqual([60_002, 0])
    expect((await database.pool.query(`select to_regclass('datapoints_moving') as table`)).rows).toEqual([
      { table: null },
    ])
  })
})
