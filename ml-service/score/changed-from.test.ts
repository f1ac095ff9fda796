import fc from 'fast-check'
import { expect, it } from 'vitest'
import { batchTransactions } from '../../telemetry/batch-transactions.ts'
import { groupBySeries } from '../../telemetry/columns.ts'
import { inTransaction } from '../database.ts'
import { EmptyDatabase } from '../testing/empty-database.ts'
import { type Point, seedTenant } from '../testing/seed-tenant.ts'
import { steadyPoints, WINDOW } from '../testing/synthetic.ts'
import { openArtefactStore } from '../train/artefact-store.ts'
import { trainSeries } from '../train/train-series.ts'
import { scoreDue } from './score-due.ts'

/* Due metrics say from which window on they changed: what scoring need not look at before it, and must after. */

const START = Date.UTC(2026, 0, 1)
const POINTS = steadyPoints(START, 700, { change: (i, value) => (i % 97 === 0 ? value + i / 10 : value) })

const database = new EmptyDatabase()

async function newMetric() {
  const tenant = await seedTenant(database.pool)
  const series = await tenant.series('pump', 'temperature')
  return {
    ...series,
    modelDir: tenant.modelDir,
    add: (points: Point[], shard = 0) => tenant.write(series, points, { datapoints: true, shard }),
  }
}

/** Scores all that is due; returns how often a metric's past was counted. */
async function score({ modelDir }: { modelDir: string }): Promise<number> {
  let counts = 0
  const pool = database.before(async (sql) => {
    if (sql.includes('coalesce(a.revision, 1)')) counts += 1
  })
  const failed = new Set<string>()
  const deps = { store: openArtefactStore(modelDir), now: () => START + 1000 * WINDOW }
  await scoreDue({ ...deps, pool, except: failed, onScored: () => {} })
  expect(failed).toEqual(new Set())
  return counts
}

async function scoresOf({ tenantId }: { tenantId: string }) {
  const { rows } = await database.pool.query(
    `select window_end, score, onset_score, state, reasons, expected_low, expected_high, ready_at
     from anomaly_scores where tenant_id = $1 order by window_end`,
    [tenantId],
  )
  expect(rows).toHaveLength(POINTS.length)
  return rows
}

it('does not count a metric’s past where only new windows come, and does where one comes late', async () => {
  const metric = await newMetric()
  await metric.add(POINTS.slice(0, 600))
  await score(metric)
  await metric.add(POINTS.slice(600, 601))
  expect(await score(metric)).toBe(0)
  await metric.add([[POINTS[300]![0] + 5000, 90]], 1)
  expect(await score(metric)).toBeGreaterThan(0)
  await metric.add(POINTS.slice(601))
  expect(await score(metric)).toBe(0)
})

it('counts the past of a metric that somebody made due without a word', async () => {
  const metric = await newMetric()
  await metric.add(POINTS)
  await score(metric)
  await database.pool.query('insert into due_metrics (tenant_id, metric_id) values ($1, $2)', [
    metric.tenantId,
    metric.metricId,
  ])
  expect(await score(metric)).toBe(1)
})

const changedFrom = async ({ tenantId }: { tenantId: string }) => {
  const { rows } = await database.pool.query('select changed_from from due_metrics where tenant_id = $1', [
    tenantId,
  ])
  return rows.map(({ changed_from: from }) => (from.getTime() - START) / WINDOW)
}

it('goes by the oldest of the windows that came, in one portion or several', async () => {
  const metric = await newMetric()
  await metric.add(POINTS.filter((_, i) => i < 600 && i !== 250 && i !== 350))
  await score(metric)
  await metric.add(POINTS.filter((_, i) => i === 350 || (i >= 600 && i < 610)))
  expect(await changedFrom(metric)).toEqual([350])
  await metric.add(POINTS.slice(610, 620))
  expect(await changedFrom(metric)).toEqual([350])
  await metric.add(POINTS.slice(250, 251))
  expect(await changedFrom(metric)).toEqual([250])
})

it('comes to the same scores whatever comes late, in whatever portions', async () => {
  const whole = await newMetric()
  await whole.add(POINTS)
  await score(whole)
  const expected = await scoresOf(whole)
  const portions = fc.array(
    fc.record({ late: fc.uniqueArray(fc.nat(699), { maxLength: 3 }), to: fc.nat(700) }),
    {
      minLength: 1,
      maxLength: 4,
    },
  )
  await fc.assert(
    fc.asyncProperty(portions, async (plan) => {
      const metric = await newMetric()
      const left = new Map(POINTS.map((point, i) => [i, point]))
      const add = async (indices: number[]) => {
        const points = indices.flatMap((i) => (left.has(i) ? [left.get(i)!] : []))
        for (const i of indices) left.delete(i)
        if (points.length > 0) await metric.add(points)
        await score(metric)
      }
      for (const { late, to } of plan) await add([...left.keys()].filter((i) => i < to && !late.includes(i)))
      for (const i of [...left.keys()].slice(0, 3).reverse()) await add([i])
      await add([...left.keys()])
      expect(await scoresOf(metric)).toEqual(expected)
    }),
    { numRuns: 6 },
  )
})

it('does not trust a state that was trained beyond what was scored when a window before its end came', async () => {
  const whole = await newMetric()
  await whole.add(POINTS)
  await score(whole)
  const metric = await newMetric()
  const store = openArtefactStore(metric.modelDir)
  await metric.add(POINTS.filter((_, i) => i < 434 && i !== 433)) // little more than to an artefact
  await score(metric)
  await metric.add(POINTS.slice(434, 438))
  await inTransaction(database.pool, metric, (db) => trainSeries(db, store, metric, START + 438 * WINDOW))
  await metric.add(POINTS.slice(433, 434))
  await score(metric)
  await metric.add(POINTS.slice(438))
  await score(metric)
  expect(await scoresOf(metric)).toEqual(await scoresOf(whole))
})

it('walks again from before a value that a later batch corrected', async () => {
  const corrected = POINTS.map(([ts, value], i): Point => [ts, i === 350 ? value + 60 : value])
  const whole = await newMetric()
  await whole.add(corrected)
  const metric = await newMetric()
  await metric.add(POINTS)
  await score(metric)
  const { columns } = groupBySeries({
    names: [{ device: 'pump', metric: 'temperature', unit: null }],
    ...{ seriesOf: Uint32Array.of(0), ts: Float64Array.of(corrected[350]![0]) },
    values: Float64Array.of(corrected[350]![1]),
  })
  const batch = { batchId: 'b', r2Key: 'k', shard: 0, receivedAt: START, rejected: 0, columns }
  for (const statements of batchTransactions(metric.tenantId, [batch], START)) {
    await inTransaction(database.pool, metric, async (db) => {
      for (const statement of statements) await db.query(statement)
    })
  }
  expect(await changedFrom(metric)).toEqual([350])
  await score(metric)
  const fresh = await newMetric() // artefacts are kept by folder
  await score({ ...whole, modelDir: fresh.modelDir })
  expect(await scoresOf(metric)).toEqual(await scoresOf(whole))
})
