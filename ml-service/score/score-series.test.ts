import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { inTransaction } from '../database.ts'
import type { Series } from '../metric-lookup.ts'
import { type Point, type SeededTenant, seedTenant } from '../testing/seed-tenant.ts'
import { steadyPoints, WINDOW } from '../testing/synthetic.ts'
import { openArtefactStore } from '../train/artefact-store.ts'
import { scoreSeries } from './score-series.ts'

const START = Date.UTC(2026, 0, 1)
const NOW = Date.UTC(2026, 0, 20, 12)

let pool: pg.Pool
beforeAll(() => {
  pool = new pg.Pool({ connectionString: inject('databaseUrl'), max: 4 })
})
afterAll(() => pool.end())

async function score(tenant: SeededTenant, series: Series, now = NOW) {
  const store = openArtefactStore(tenant.modelDir)
  const { summary, cleanUp } = await inTransaction(pool, series, (db) =>
    scoreSeries(db, { store, now }, series),
  )
  await cleanUp()
  return summary
}

/** Every column that says something of the data, oldest window first. */
async function scoresOf({ tenantId, metricId }: Series) {
  const { rows } = await pool.query(
    `select window_end, score, onset_score, state, reasons, expected_low, expected_high, deviation
     from anomaly_scores
     where tenant_id = $1 and metric_id = $2 order by window_end`,
    [tenantId, metricId],
  )
  return rows
}

async function newSeries(points: Point[]) {
  const tenant = await seedTenant(pool)
  const series = await tenant.series('pump-7', 'temperature')
  if (points.length > 0) await tenant.write(series, points)
  return { tenant, series }
}

const spikeAt = (at: number) => (i: number, value: number) => (i === at ? value + 40 : value)

describe('scoreSeries()', () => {
  it('gives every window a row: learning and 0 at first, then a score', async () => {
    const { tenant, series } = await newSeries(steadyPoints(START, 200, { change: spikeAt(180) }))
    expect(await score(tenant, series)).toMatchObject({ scored: 200, rescored: 0, anomalous: 1 })
    const rows = await scoresOf(series)
    expect(rows).toHaveLength(200)
    expect(rows.slice(0, 144).every((row) => row.state === 'learning' && row.score === 0)).toBe(true)
    expect(rows.slice(144).every((row) => row.state === 'ready')).toBe(true)
    const spike = rows[180]
    expect(spike.score).toBeGreaterThan(5)
    expect(spike.onset_score).toBe(spike.score)
    expect(spike.reasons[0]).toMatch(/^1(09|11) is (38|40) above anything seen in 15 h$/)
    expect(spike.expected_high).toBeLessThan(80)
  })

  it('tells of each learned window when learning will be over, and of a scored one nothing', async () => {
    const HOUR = 3600_000
    const { tenant, series } = await newSeries([])
    const readyAt = async () => {
      const { rows } = await pool.query(
        `select (extract(epoch from ready_at) * 1000)::float8 as at from anomaly_scores
         where tenant_id = $1 order by window_end`,
        [tenant.tenantId],
      )
      return rows.map(({ at }) => at)
    }
    const hourly = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, i): Point => [START + (from + i) * HOUR, (from + i) % 3])
    await tenant.write(series, hourly(0, 4))
    await score(tenant, series)
    // 12 hours by one window; 40 windows once two have told how far apart they are.
    const from2 = (windows: number) => START + (windows - 1) * HOUR + WINDOW + (40 - windows) * HOUR
    expect(await readyAt()).toEqual([START + 12 * HOUR, from2(2), from2(3), from2(4)])
    await tenant.write(series, hourly(4, 50))
    await score(tenant, series)
    const known = await readyAt()
    expect(known.slice(0, 40).every((at) => at !== null)).toBe(true)
    expect(known.slice(40)).toEqual(new Array(10).fill(null))
  })

  it('moves the end of learning as late windows change what came after them', async () => {
    const { tenant, series } = await newSeries([])
    await tenant.write(series, steadyPoints(START + WINDOW, 2))
    await score(tenant, series)
    await tenant.write(series, steadyPoints(START, 1))
    expect(await score(tenant, series)).toMatchObject({ scored: 1, rescored: 2 })
    const { rows } = await pool.query('select distinct ready_at from anomaly_scores where tenant_id = $1', [
      tenant.tenantId,
    ])
    expect(rows).toEqual([{ ready_at: new Date(START + 144 * WINDOW) }])
  })

  it('writes nothing when it runs again', async () => {
    const { tenant, series } = await newSeries(steadyPoints(START, 200))
    await score(tenant, series)
    const before = await pool.query('select * from anomaly_scores where tenant_id = $1', [tenant.tenantId])
    expect(await score(tenant, series, NOW + 1)).toMatchObject({ scored: 0, rescored: 0 })
    const after = await pool.query('select * from anomaly_scores where tenant_id = $1', [tenant.tenantId])
    expect(after.rows).toEqual(before.rows)
  })

  it('counts each window once in usage_daily, on the day it was scored', async () => {
    const { tenant, series } = await newSeries(steadyPoints(START, 150))
    await score(tenant, series)
    await tenant.write(series, steadyPoints(START + 150 * WINDOW, 5, { seed: 2 }))
    await score(tenant, series)
    await score(tenant, series)
    const { rows } = await pool.query(
      'select day::text, shard, windows_scored from usage_daily where tenant_id = $1',
      [tenant.tenantId],
    )
    expect(rows).toEqual([{ day: '2026-01-20', shard: 0, windows_scored: '155' }])
  })

  it('removes the due row it worked off', async () => {
    const { tenant, series } = await newSeries(steadyPoints(START, 3))
    await score(tenant, series)
    const { rowCount } = await pool.query('select 1 from due_metrics where tenant_id = $1', [tenant.tenantId])
    expect(rowCount).toBe(0)
  })

  it('comes to the same scores however the run is split', async () => {
    const points = steadyPoints(START, 700, { change: (i, value) => (i % 97 === 0 ? value + i / 10 : value) })
    const whole = await newSeries(points)
    await score(whole.tenant, whole.series)
    const expected = await scoresOf(whole.series)
    const cuts = fc.uniqueArray(fc.integer({ min: 1, max: 699 }), { minLength: 1, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(cuts, async (positions) => {
        const split = await newSeries([])
        let from = 0
        for (const to of [...positions.sort((a, b) => a - b), points.length]) {
          await split.tenant.write(split.series, points.slice(from, to))
          await score(split.tenant, split.series)
          from = to
        }
        expect(await scoresOf(split.series)).toEqual(expected)
      }),
      { numRuns: 6 },
    )
  })

  it('comes to the same scores when windows arrive late, as new windows or as further parts', async () => {
    const points = steadyPoints(START, 900, { change: spikeAt(500) })
    const extra: Point[] = [[START + 460 * WINDOW + 2000, 90]]
    const whole = await newSeries([...points, ...extra])
    await score(whole.tenant, whole.series)
    const late = await newSeries([])
    const isLate = (i: number) => i === 30 || i === 600 || i === 880
    await late.tenant.write(
      late.series,
      points.filter((_, i) => !isLate(i)),
    )
    await score(late.tenant, late.series)
    for (const i of [880, 30, 600]) {
      await late.tenant.write(late.series, [points[i]!])
      await score(late.tenant, late.series)
    }
    await late.tenant.write(late.series, extra, { shard: 1 })
    await score(late.tenant, late.series)
    expect(await scoresOf(late.series)).toEqual(await scoresOf(whole.series))
  })

  it('carries on from an older model when the newest file is damaged', async () => {
    const points = steadyPoints(START, 600)
    const { tenant, series } = await newSeries(points.slice(0, 500))
    await score(tenant, series)
    const store = openArtefactStore(tenant.modelDir)
    const { rows } = await pool.query(
      'select path from models where tenant_id = $1 order by trained_until desc limit 1',
      [tenant.tenantId],
    )
    await store.write(rows[0].path, '{"format":1}')
    await tenant.write(series, points.slice(500))
    await score(tenant, series)
    const whole = await newSeries(points)
    await score(whole.tenant, whole.series)
    expect(await scoresOf(series)).toEqual(await scoresOf(whole.series))
  })

  it('keeps a bounded number of models, the first among them', async () => {
    const { tenant, series } = await newSeries(steadyPoints(START, 144 + 288 * 14))
    await score(tenant, series)
    const { rows } = await pool.query('select trained_until from models where tenant_id = $1 order by 1', [
      tenant.tenantId,
    ])
    expect(rows).toHaveLength(10)
    expect(rows[0].trained_until.getTime()).toBe(START + 144 * WINDOW)
  })

  it('scores a metric of one constant, and says so when it moves', async () => {
    const points: Point[] = Array.from({ length: 200 }, (_, i) => [START + i * WINDOW, i === 190 ? 5 : 4])
    const { tenant, series } = await newSeries(points)
    expect(await score(tenant, series)).toMatchObject({ scored: 200, anomalous: 1 })
    const rows = await scoresOf(series)
    expect(rows.every((row) => Number.isFinite(row.score) && Number.isFinite(row.onset_score))).toBe(true)
    expect(rows[190].score).toBeGreaterThan(1)
    expect(rows[190].deviation).toBeCloseTo(1)
  })

  it('stays finite on the largest doubles and on zeros', async () => {
    const values = [0, 1e308, -1e308, 5e-324, -0]
    const points: Point[] = Array.from({ length: 400 }, (_, i) => [
      START + Math.floor(i / 2) * WINDOW + (i % 2),
      values[i % 5]!,
    ])
    const { tenant, series } = await newSeries(points)
    await score(tenant, series)
    for (const row of await scoresOf(series)) {
      expect(Number.isFinite(row.score) && Number.isFinite(row.onset_score)).toBe(true)
      expect([row.expected_low, row.expected_high].every((x) => x === null || Number.isFinite(x))).toBe(true)
    }
  })

  it('does not take a gap for an anomaly', async () => {
    const before = steadyPoints(START, 300)
    const after = steadyPoints(START + 900 * WINDOW, 100, { seed: 3 })
    const { tenant, series } = await newSeries([...before, ...after])
    expect(await score(tenant, series)).toMatchObject({ scored: 400, anomalous: 0 })
  })
})
