import { describe, expect, it } from 'vitest'
import { insertMissingDatapoints } from '../../telemetry/batch-statements.ts'
import { DAY_MS, dataKeptFrom } from '../../telemetry/retention-periods.ts'
import { EmptyDatabase, pointsAt } from '../testing/empty-database.ts'
import { applyRetention } from './apply-retention.ts'
import { ensurePartitions, selectDays } from './retention-sql.ts'

const NOW = Date.UTC(2001, 5, 15, 12, 2)
const TODAY = Date.UTC(2001, 5, 15)

const database = new EmptyDatabase()

describe('days', () => {
  it('are there for all that may be kept, and 14 days ahead', async () => {
    await database.tenant(30)
    await applyRetention(database.pool, NOW)
    const days = await selectDays(database.pool)
    expect([days[0], days.at(-1)]).toEqual([TODAY - 30 * DAY_MS, TODAY + 14 * DAY_MS])
    expect(days).toHaveLength(45)
  })

  it('are emptied when no tenant keeps them any more, and dropped once the queues’ life has passed', async () => {
    const tenant = await database.tenant(1)
    const series = await tenant.series('pump', 'temperature')
    await applyRetention(database.pool, TODAY)
    await tenant.write(series, [[TODAY + 1, 1]], { datapoints: true })
    const has = async () => [
      await database.count('datapoints'),
      (await selectDays(database.pool)).includes(TODAY),
    ]
    await applyRetention(database.pool, TODAY + 2 * DAY_MS - 1)
    expect((await selectDays(database.pool))[0]).toBe(TODAY - DAY_MS)
    expect((await has())[1]).toBe(true)
    await tenant.write(series, [[TODAY + 2, 1]], { datapoints: true }) // it was on its way for as long
    await applyRetention(database.pool, TODAY + 2 * DAY_MS)
    expect(await has()).toEqual([0, true])
    await applyRetention(database.pool, TODAY + 6 * DAY_MS - 1)
    expect(await has()).toEqual([0, true])
    await applyRetention(database.pool, TODAY + 6 * DAY_MS)
    expect(await has()).toEqual([0, false])
  })

  it('stay while somebody uses them, and writers come through', async () => {
    const tenant = await database.tenant(1)
    const { metricId } = await tenant.series('pump', 'temperature')
    await applyRetention(database.pool, NOW)
    await ensurePartitions(database.pool, TODAY - 9 * DAY_MS, TODAY)
    const reader = await database.pool.connect()
    await reader.query('begin')
    await reader.query('select 1 from datapoints limit 1')
    const run = applyRetention(database.pool, NOW, { pausesMs: [50, 50, 50] })
    let running = true
    const writing = (async () => {
      let written = 0
      for (; running; written += 1)
        await database.pool.query(
          insertMissingDatapoints(tenant.tenantId, [metricId], pointsAt(NOW + written)),
        )
      return written
    })()
    expect(await run).toMatchObject({ daysDropped: 0, daysPostponed: 4 })
    running = false
    expect(await writing).toBeGreaterThan(0)
    await reader.query('rollback')
    reader.release()
    expect(await database.count('datapoints')).toBe(await writing)
    expect(await applyRetention(database.pool, NOW)).toMatchObject({ daysDropped: 4, daysPostponed: 0 })
  })

  it('that a tenant came to need while a run was at work are kept', async () => {
    const tenant = await database.tenant(1)
    const series = await tenant.series('pump', 'temperature')
    await tenant.write(
      series,
      [
        [NOW - 5 * DAY_MS, 1],
        [NOW - DAY_MS / 4, 2],
      ],
      { datapoints: true },
    )
    await ensurePartitions(database.pool, TODAY - 2 * DAY_MS, TODAY) // the older one lies in the default partition
    await tenant.write(series, [[NOW - 2 * DAY_MS, 3]], { datapoints: true })
    // Right after the run has read what they keep.
    const raising = database.before(async (text) => {
      if (!text.includes('from tenants')) await database.pool.query('update tenants set retention_days = 30')
    })
    const { deleted } = await applyRetention(raising, NOW)
    expect(deleted).toMatchObject({ datapoints: 0, window_aggregates: 0 })
    expect(await database.count('datapoints')).toBe(3)
  })
})

it('loses nothing of what is written meanwhile', async () => {
  const tenant = await database.tenant(7)
  const { metricId } = await tenant.series('pump', 'temperature')
  await database.tenant(90)
  await database.pool.query(
    `insert into datapoints select $1, $2, $3::timestamptz - n * interval '10 s', n, 1 from generate_series(1, 200000) as n`,
    [tenant.tenantId, metricId, new Date(NOW)],
  )
  let running = true
  const kept = dataKeptFrom(7, NOW)
  const writing = (async () => {
    const written: number[] = []
    for (let i = 0; running || i < 20; i += 1) {
      const fresh = NOW + i
      const old = kept + i // in the very day that rows are deleted of
      await database.pool.query(insertMissingDatapoints(tenant.tenantId, [metricId], pointsAt(old, fresh)))
      written.push(old, fresh)
    }
    return written
  })()
  await applyRetention(database.pool, NOW)
  running = false
  const written = await writing
  const times = new Set(await database.times('datapoints', 'ts', tenant))
  expect(written.filter((ts) => !times.has(ts))).toEqual([])
  expect([...times].every((ts) => ts >= kept)).toBe(true)
  expect(times.has(NOW - 7 * DAY_MS + 10_000)).toBe(true)
})
