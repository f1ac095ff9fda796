import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import type { LoadedBatch } from '../../telemetry/batch-rows.ts'
import { batchTransactions, newBatchTransactions } from '../../telemetry/batch-transactions.ts'
import { WINDOW_MS } from '../../telemetry/window.ts'
import { featuresOfValues } from '../../telemetry/window-features.ts'
import { inTransaction } from '../database.ts'
import { windowsOfAggregates } from '../features/read-windows.ts'
import { type Point, type SeededTenant, seedTenant } from '../testing/seed-tenant.ts'
import { steadyPoints } from '../testing/synthetic.ts'
import { openArtefactStore } from '../train/artefact-store.ts'
import { runsOf } from './correct-windows.ts'
import { deleteMarks, selectMarks } from './corrections-sql.ts'
import { scoreSeries } from './score-series.ts'

const START = Date.UTC(2026, 0, 1)
const ALL = { from: START, to: START + 100 * WINDOW_MS }

let pool: pg.Pool
beforeAll(() => {
  pool = new pg.Pool({ connectionString: inject('databaseUrl'), max: 4 })
})
afterAll(() => pool.end())

/** Each batch in a transaction of its own, as the consumer stores it: hopefully first, then whatever is there. */
async function store(tenant: SeededTenant, receivedAt: number, points: Point[]): Promise<void> {
  const columns = {
    series: [{ device: 'pump', metric: 'temperature', unit: null }],
    offsets: Uint32Array.of(0, points.length),
    ts: Float64Array.from(points, ([ts]) => ts),
    values: Float64Array.from(points, ([, value]) => value),
    ordinals: Uint32Array.from(points.keys()),
  }
  const batchId = `b${receivedAt}`
  const batch: LoadedBatch = { batchId, r2Key: 'k', shard: 0, receivedAt, rejected: 0, columns }
  const runAll = async (transactions: typeof batchTransactions) => {
    for (const statements of transactions(tenant.tenantId, [batch], 1)) {
      await inTransaction(pool, tenant, async (db) => {
        for (const statement of statements) await db.query(statement)
      })
    }
  }
  await runAll(newBatchTransactions).catch(() => runAll(batchTransactions))
}

async function seeded() {
  const tenant = await seedTenant(pool)
  const series = await tenant.series('pump', 'temperature')
  const artefacts = openArtefactStore(tenant.modelDir)
  return {
    tenant,
    series,
    store: (receivedAt: number, points: Point[]) => store(tenant, receivedAt, points),
    /** As the shard flushes: the part counts every value that was accepted. */
    flush: (points: Point[]) => tenant.write(series, points),
    score: async () => {
      const now = START + 1000 * WINDOW_MS
      const done = await inTransaction(pool, series, (db) =>
        scoreSeries(db, { store: artefacts, now }, series),
      )
      return done.summary
    },
    windows: async () => {
      const read = []
      for await (const { window } of windowsOfAggregates(pool, { ...series, ...ALL })) read.push(window)
      return read
    },
    count: async (table: 'corrected_windows' | 'due_metrics' | 'anomaly_scores') => {
      const { rows } = await pool.query<{ n: number }>(
        `select count(*)::int as n from ${table} where tenant_id = $1`,
        [tenant.tenantId],
      )
      return rows[0]!.n
    },
  }
}

const at = (window: number, second: number) => START + window * WINDOW_MS + second * 1000

describe('correctWindows', () => {
  it('shows a corrected value in a closed window and its score, whose part comes before or after', async () => {
    for (const order of ['part first', 'score first']) {
      const { store, flush, score, windows, count } = await seeded()
      const first: Point[] = [
        [at(0, 1), 10],
        [at(0, 2), 20],
      ]
      await store(1, first)
      await flush(first)
      await score()
      const correction: Point[] = [[at(0, 2), 40]]
      await store(2, correction)
      if (order === 'score first') await score()
      await flush(correction)
      const right = [featuresOfValues(START, [10, 40])]
      if (order === 'score first') expect(await windows()).toEqual(right) // unsettled by the part, and right
      await score()
      expect(await windows()).toEqual(right)
      expect([await count('corrected_windows'), await count('due_metrics')]).toEqual([0, 0])
    }
  })

  it('leaves a window that is open to its shard, and corrects it once its part has come', async () => {
    const { store, flush, score, windows, count } = await seeded()
    const both: Point[] = [
      [at(0, 1), 10],
      [at(0, 1), 40],
    ]
    await store(1, [both[0]!])
    await store(2, [both[1]!])
    await score()
    expect([await windows(), await count('corrected_windows')]).toEqual([[], 1])
    await flush(both)
    await score()
    expect(await windows()).toEqual([featuresOfValues(START, [40])])
    expect([await count('corrected_windows'), await count('anomaly_scores')]).toEqual([0, 1])
  })

  it('scores again what changed, and once', async () => {
    const { store, flush, score } = await seeded()
    const steady = steadyPoints(START, 400)
    await store(1, steady)
    await flush(steady)
    expect(await score()).toMatchObject({ scored: 400 })
    const spike = steady
      .filter(([ts]) => ts >= at(390, 0) && ts < at(391, 0))
      .map(([ts, value]): Point => [ts, value + 500])
    await store(2, spike)
    await flush(spike)
    const { scored, rescored } = await score()
    expect(scored).toBe(0)
    expect(rescored).toBeGreaterThan(0)
    expect(await score()).toMatchObject({ scored: 0, rescored: 0 })
  })

  it('keeps a mark that grew while it was worked on', async () => {
    const { store, flush, series, count } = await seeded()
    await store(1, [[at(0, 1), 10]])
    await flush([[at(0, 1), 10]])
    await store(2, [[at(0, 1), 20]])
    const marks = await selectMarks(pool, series, { after: Number.NEGATIVE_INFINITY, limit: 10 })
    await store(3, [[at(0, 1), 30]])
    await deleteMarks(pool, series, marks)
    expect(await count('corrected_windows')).toBe(1)
  })

  it('ends with the statistics of the datapoints whatever order batches, parts and scoring come in', async () => {
    const batch = fc.uniqueArray(fc.tuple(fc.nat(2), fc.nat(4)), {
      selector: String,
      minLength: 1,
      maxLength: 6,
    })
    const plan = fc.array(batch, { minLength: 1, maxLength: 4 }).chain((batches) =>
      fc.record({
        batches: fc.constant(batches),
        order: fc.shuffledSubarray([...batches.keys()], { minLength: batches.length }),
        again: fc.array(fc.nat(batches.length - 1), { maxLength: 2 }),
        partFirst: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
        scoreAfter: fc.array(fc.boolean(), { minLength: 10, maxLength: 10 }),
      }),
    )
    await fc.assert(
      fc.asyncProperty(plan, async ({ batches, order, again, partFirst, scoreAfter }) => {
        const { store, flush, score, windows, count } = await seeded()
        const pointsOf = (b: number) =>
          batches[b]!.map(([w, s]): Point => [at(w, s), b * 100 + w * 10 + s]).sort((x, y) => x[0] - y[0])
        const stored = (b: number) => () => store(b + 1, pointsOf(b))
        const flushed = (b: number) => () => flush(pointsOf(b)) // each batch of a closed window is a part of its own
        const steps = [
          ...order.flatMap((b, i) => (partFirst[i] ? [flushed(b), stored(b)] : [stored(b), flushed(b)])),
          ...again.map(stored),
        ]
        for (const [i, step] of steps.entries()) {
          await step()
          if (scoreAfter[i]) await score()
        }
        await score()
        const last = new Map(batches.flatMap((_, b) => pointsOf(b)))
        const expected = [0, 1, 2].flatMap((w) => {
          const within = [...last]
            .filter(([ts]) => ts >= at(w, 0) && ts < at(w + 1, 0))
            .sort(([a], [b]) => a - b)
          const values = within.map(([, value]) => value)
          return values.length === 0 ? [] : [featuresOfValues(at(w, 0), values)]
        })
        const read = await windows()
        expect(
          read.map(({ windowStart, count: n, median, min, max }) => [windowStart, n, median, min, max]),
        ).toEqual(
          expected.map(({ windowStart, count: n, median, min, max }) => [windowStart, n, median, min, max]),
        )
        expect(await count('corrected_windows')).toBe(0)
      }),
      { numRuns: 25 },
    )
  })

  it('reads windows that follow each other at once', () => {
    const marks = [0, 1, 3].map((w) => ({ windowStart: at(w, 0) }))
    expect(runsOf(marks)).toEqual([
      { from: at(0, 0), to: at(2, 0) },
      { from: at(3, 0), to: at(4, 0) },
    ])
  })
})
