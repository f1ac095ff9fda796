import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it, test, vi } from 'vitest'
import { featuresOfValues } from '../../telemetry/window-features.ts'
import { inTransaction } from '../database.ts'
import { windowsOfAggregates } from '../features/read-windows.ts'
import { countParts } from '../features/windows-sql.ts'
import type { Series } from '../metric-lookup.ts'
import { lockMetric } from '../score/due-sql.ts'
import { type Point, type SeededTenant, seedTenant } from '../testing/seed-tenant.ts'
import { WINDOW } from '../testing/synthetic.ts'
import { closedUntil, rebuildWindows } from './rebuild-windows.ts'
import { upsertSuperseding } from './replay-sql.ts'

const START = Date.UTC(2026, 0, 1)
const NOW = START + 100 * WINDOW
const ALL = { from: START, to: START + 10 * WINDOW }

let pool: pg.Pool
beforeAll(() => {
  pool = new pg.Pool({ connectionString: inject('databaseUrl'), max: 6 })
})
afterAll(() => pool.end())

/** Six readings in each of `windows` windows. */
const readings = (windows: number): Point[] =>
  Array.from({ length: windows * 6 }, (_, i) => [START + i * 50_000, 230 + Math.sin(i * 12.9898) / 2])

async function seeded(points = readings(4)) {
  const tenant = await seedTenant(pool)
  const series = await tenant.series('pump', 'temperature')
  await tenant.write(series, points, { datapoints: true })
  await pool.query('delete from due_metrics where tenant_id = $1', [tenant.tenantId])
  return { tenant, series, rebuild: () => rebuildWindows(pool, tenant.tenantId, ALL, NOW, () => {}) }
}

async function windows(series: Series) {
  const read = []
  for await (const { window, parts } of windowsOfAggregates(pool, { ...series, ...ALL }))
    read.push({ window, parts })
  return read
}

/** What the datapoints that the database holds come to. */
async function expected(series: Series) {
  const { rows } = await pool.query<{ start: number; values: number[] }>(
    `select (extract(epoch from date_bin('300 s', ts, 'epoch')) * 1000)::float8 as start,
       array_agg(value order by ts) as values
     from datapoints where tenant_id = $1 and metric_id = $2 group by 1 order by 1`,
    [series.tenantId, series.metricId],
  )
  return rows.map(({ start, values }) => featuresOfValues(start, values))
}

const remove = (series: Series, where: string) =>
  pool.query(`delete from window_aggregates where tenant_id = $1 and metric_id = $2 and ${where}`, [
    series.tenantId,
    series.metricId,
  ])

/** As the consumer corrects: the datapoint in place, and a part that counts it once more. */
async function correct(tenant: SeededTenant, series: Series, [ts, value]: Point) {
  await pool.query(
    'update datapoints set value = $4, version = version + 1 where tenant_id = $1 and metric_id = $2 and ts = $3',
    [series.tenantId, series.metricId, new Date(ts), value],
  )
  await tenant.write(series, [[ts, value]])
}

const isDue = async ({ tenantId }: SeededTenant) =>
  (await pool.query('select 1 from due_metrics where tenant_id = $1', [tenantId])).rowCount === 1

describe('rebuildWindows', () => {
  it('waits for who scores the metric, and holds nothing that this one may want', async () => {
    const { tenant, series, rebuild } = await seeded()
    await correct(tenant, series, [START, 99])
    const row = {
      ...{ windowStart: START, count: 1, mean: 1, m2: 0, min: 1, max: 1, firstTs: START, lastTs: START },
      ...{ median: 1, mad: 0, sketch: new Uint8Array(), superseded: 1 },
    }
    let rebuilding: Promise<number> | undefined
    await inTransaction(pool, series, async (db) => {
      await lockMetric(db, series)
      rebuilding = rebuild()
      await vi.waitFor(async () => {
        const waiting = `select from pg_locks l join pg_stat_activity a on a.pid = l.pid
          where not l.granted and a.query like 'insert into due_metrics%' and a.datname = current_database()`
        expect((await pool.query(waiting)).rowCount).toBeGreaterThan(0)
      }, 10_000)
      await upsertSuperseding(db, series, [row])
    })
    await rebuilding
    expect((await windows(series)).map(({ window }) => window)).toEqual(await expected(series))
  })

  it('writes nothing where the parts tell what the datapoints do, in one part or in several', async () => {
    const { tenant, series, rebuild } = await seeded()
    await tenant.write(series, [[START + 7, 400]], { datapoints: true })
    expect(await rebuild()).toBe(0)
  })

  it('restores windows that were lost, once, and marks their metric due', async () => {
    const { tenant, series, rebuild } = await seeded()
    await remove(series, `window_start >= '2026-01-01T00:05Z'`)
    expect(await rebuild()).toBe(3)
    expect((await windows(series)).map(({ window }) => window).slice(1)).toEqual(
      (await expected(series)).slice(1),
    )
    expect(await isDue(tenant)).toBe(true)
    expect(await rebuild()).toBe(0)
  })

  it('sees a part that is missing though the counts agree, as a correction was counted twice', async () => {
    const { tenant, series, rebuild } = await seeded(readings(1))
    await tenant.write(series, [[START + 7, 400]], { datapoints: true })
    await remove(series, 'max = 400')
    await correct(tenant, series, [START, 231])
    await rebuild()
    expect((await windows(series)).map(({ window }) => window)).toEqual(await expected(series))
  })

  it('makes a corrected window right, and a later correction shows at once', async () => {
    const { tenant, series, rebuild } = await seeded()
    await correct(tenant, series, [START, 500])
    expect(await rebuild()).toBe(1)
    const [settled] = await windows(series)
    expect(settled?.window).toEqual((await expected(series))[0])
    await correct(tenant, series, [START, 600])
    const [unsettled] = await windows(series)
    expect(unsettled?.window).toMatchObject({ count: 6, max: 600 })
    expect(await rebuild()).toBe(1)
    const [again] = await windows(series)
    expect(again?.window).toEqual(unsettled?.window)
    // Whoever remembers what it read can tell each of these from the others, and counts as the database does.
    expect([settled, unsettled, again].map((read) => read?.parts)).toEqual([3, 4, 5])
    const stretch = { metricId: series.metricId, since: undefined, until: START + WINDOW }
    expect(await countParts(pool, series.tenantId, [stretch])).toEqual([5])
  })

  it('leaves what is still open to its shard', async () => {
    const { series } = await seeded()
    await remove(series, 'true')
    // Received with the last reading, a second ago: by event time only the first three windows are closed.
    const last = START + 23 * 50_000
    await pool.query('update datapoints set version = $2::int8 * 1024 where tenant_id = $1', [
      series.tenantId,
      last,
    ])
    expect(await rebuildWindows(pool, series.tenantId, ALL, last + 1000, () => {})).toBe(3)
  })
})

test.each([
  ['just before it has passed the lateness', 359_999, 0, 0],
  ['when it has', 360_000, 0, WINDOW],
  ['that has been silent for as long as it lacks', 350_000, 10_000, WINDOW],
])('the window of a series closes by its event time: %s', (_, lastTs, silentMs, until) => {
  expect(closedUntil({ lastTs, lastArrival: NOW }, NOW + silentMs)).toBe(until)
})
