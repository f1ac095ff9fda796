import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import type { WindowFeatures } from '../../telemetry/window-features.ts'
import { expectClose, mathjsWindow } from '../testing/mathjs-window.ts'
import { type Point, seedTenant } from '../testing/seed-tenant.ts'
import { WINDOW } from '../testing/synthetic.ts'
import { windowsOfAggregates, windowsOfBoth, windowsOfDatapoints } from './read-windows.ts'

const START = Date.UTC(2026, 0, 1)
const ALL = { from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY }

let pool: pg.Pool
beforeAll(() => {
  pool = new pg.Pool({ connectionString: inject('databaseUrl'), max: 4 })
})
afterAll(() => pool.end())

async function seeded() {
  const tenant = await seedTenant(pool)
  return { tenant, series: await tenant.series('pump', 'temperature') }
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

async function aggregates(series: { tenantId: string; metricId: string }) {
  const read = await collect(windowsOfAggregates(pool, { ...series, ...ALL }))
  return read.map(({ window }) => window)
}

const datapoints = (series: { tenantId: string; metricId: string }, now: number) =>
  collect(windowsOfDatapoints(pool, { ...series, ...ALL }, now))

/** A few hundred distinct times over six windows, on offsets from tiny to huge. */
const points = fc
  .tuple(
    fc.constantFrom(0, 230, -1e9),
    fc.uniqueArray(fc.integer({ min: 0, max: 6 * WINDOW - 1 }), { minLength: 1, maxLength: 60 }),
    fc.integer(),
  )
  .map(([offset, times, seed]): Point[] =>
    times.map((ts, i) => [START + ts, offset + Math.sin(seed + i * 12.9898) * 3]),
  )

it('computes the same features from aggregates, in one part or several, as from datapoints, and as mathjs', async () => {
  await fc.assert(
    fc.asyncProperty(points, fc.nat(), async (all, cut) => {
      const { tenant, series } = await seeded()
      const at = cut % all.length
      await tenant.write(series, all.slice(0, at + 1), { datapoints: true })
      if (at + 1 < all.length) await tenant.write(series, all.slice(at + 1), { datapoints: true, shard: 1 })
      const fromParts = await aggregates(series)
      const fromPoints = await datapoints(series, START + 6 * WINDOW)
      expect(fromParts.map(orderStatistics)).toEqual(fromPoints.map(orderStatistics))
      fromParts.forEach((window, i) => {
        expectClose(window, fromPoints[i]!)
        expectClose(window, mathjsWindow(valuesOf(all, window.windowStart)))
      })
    }),
    { numRuns: 25 },
  )
})

const valuesOf = (all: Point[], windowStart: number) =>
  all.filter(([ts]) => ts >= windowStart && ts < windowStart + WINDOW).map(([, value]) => value)

const orderStatistics = ({
  windowStart,
  windowEnd,
  count,
  median,
  mad,
  min,
  max,
  range,
}: WindowFeatures) => ({
  ...{ windowStart, windowEnd, count, median, mad, min, max, range },
})

it('reads windows across page borders once each, also one with very many parts', async () => {
  const { tenant, series } = await seeded()
  const long = Array.from({ length: 4500 }, (_, i): Point => [START + i * WINDOW, i])
  await tenant.write(series, long)
  expect((await aggregates(series)).map((window) => window.median)).toEqual(long.map(([, value]) => value))
  const crowded = await tenant.series('pump', 'crowded')
  await tenant.write(crowded, [[START, 1]])
  await pool.query(
    `insert into window_aggregates select tenant_id, metric_id, window_start, 1, n, count, mean, m2, min, max, median,
       mad, first_ts, last_ts, sketch from window_aggregates, generate_series(1, 4500) n
     where tenant_id = $1 and metric_id = $2`,
    [tenant.tenantId, crowded.metricId],
  )
  expect((await aggregates(crowded)).map(({ count }) => count)).toEqual([4501])
})

it('computes from datapoints only windows that have ended', async () => {
  const { tenant, series } = await seeded()
  const two: Point[] = [
    [START, 1],
    [START + WINDOW, 2],
  ]
  await tenant.write(series, two, { datapoints: true })
  const starts = async (now: number) => (await datapoints(series, now)).map((window) => window.windowStart)
  expect(await starts(START + 2 * WINDOW - 1)).toEqual([START])
  expect(await starts(START + 2 * WINDOW)).toEqual([START, START + WINDOW])
})

it('fills in from datapoints what has no aggregates yet', async () => {
  const { tenant, series } = await seeded()
  await tenant.write(
    series,
    [
      [START, 1],
      [START + 2 * WINDOW, 3],
    ],
    { datapoints: true },
  )
  await pool.query(
    'insert into datapoints (tenant_id, metric_id, ts, value) values ($1, $2, $3, 2), ($1, $2, $4, 9), ($1, $2, $5, 4)',
    [
      series.tenantId,
      series.metricId,
      ...[START + WINDOW, START + 5, START + 3 * WINDOW].map((ts) => new Date(ts)),
    ],
  )
  const range = { ...series, ...ALL }
  const windows = await collect(windowsOfBoth(pool, range, START + 9 * WINDOW))
  expect(windows.map(({ median }) => median)).toEqual([1, 2, 3, 4])
})
