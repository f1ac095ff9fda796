import pg from 'pg'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { inTransaction } from '../database.ts'
import type { Series } from '../metric-lookup.ts'
import { addRule } from '../testing/seed-alerting.ts'
import { seedTenant } from '../testing/seed-tenant.ts'
import { steadyPoints, WINDOW } from '../testing/synthetic.ts'
import { openArtefactStore } from '../train/artefact-store.ts'
import { scoreChunk } from './score-chunk.ts'

const START = Date.UTC(2026, 0, 1)
const NOW = START + 3000 * WINDOW

let pool: pg.Pool
beforeAll(() => {
  pool = new pg.Pool({ connectionString: inject('databaseUrl'), max: 4 })
})
afterAll(() => pool.end())

/** Metrics with a past of different length, each with a spike; the last one's windows have a second part each. */
async function seeded(lengths: number[]) {
  const tenant = await seedTenant(pool)
  await addRule(pool, tenant.tenantId)
  const metrics: Series[] = []
  for (const [i, length] of lengths.entries()) {
    const series = await tenant.series('pump', `m${i}`)
    const change = (at: number, value: number) => (at === length - 20 ? value + 60 : value)
    await tenant.write(series, steadyPoints(START, length, { seed: i, change }))
    metrics.push(series)
  }
  const last = metrics.at(-1)!
  await tenant.write(last, steadyPoints(START + 2000, lengths.at(-1)!, { seed: 99 }), { shard: 1 })
  const store = openArtefactStore(tenant.modelDir)
  const sorted = metrics.toSorted((a, b) => (a.metricId < b.metricId ? -1 : 1))
  return {
    score: (options: Parameters<typeof scoreChunk>[3]) =>
      inTransaction(pool, sorted[0]!, (db) => scoreChunk(db, { store, now: NOW }, sorted, options)),
    rows: async (sql: string) => (await pool.query(sql, [tenant.tenantId])).rows,
  }
}

const SCORES = `select m.name, window_end, score, onset_score, state, reasons, expected_low, expected_high, deviation
  from anomaly_scores s join metrics m on m.tenant_id = s.tenant_id and m.id = s.metric_id
  where s.tenant_id = $1 order by 1, 2`
const EVENTS = 'select window_end, score, resolved_at from alert_events where tenant_id = $1 order by 1, 2'

it('scores a long past in several transactions as in one, each window and alert once', async () => {
  const lengths = [50, 700, 1500, 610]
  const whole = await seeded(lengths)
  await whole.score({ oneRound: false })
  const expected = [await whole.rows(SCORES), await whole.rows(EVENTS)]
  expect(expected.map((rows) => rows.length)).toEqual([2860, 3])
  const split = await seeded(lengths)
  let transactions = 0
  for (let finished = false; !finished; transactions += 1) {
    const { metrics } = await split.score({ oneRound: true, roundWindows: 1 })
    finished = metrics.every((metric) => metric.finished)
    const due = await split.rows('select metric_id from due_metrics where tenant_id = $1')
    const open = metrics.filter((metric) => !metric.finished).map(({ series }) => series.metricId)
    expect(due.map((row) => row.metric_id).sort()).toEqual(open.sort())
  }
  expect(transactions).toBe(3)
  expect([await split.rows(SCORES), await split.rows(EVENTS)]).toEqual(expected)
  const usage = await split.rows('select sum(windows_scored)::int as n from usage_daily where tenant_id = $1')
  expect(usage).toEqual([{ n: 2860 }])
})

it('stores where a run ended, so that the next one begins there', async () => {
  const { score, rows } = await seeded([400])
  await score({ oneRound: true })
  const heads = await rows('select path, trained_until from models where tenant_id = $1 order by 2')
  expect(heads.map(({ path }) => /head/.test(path))).toEqual([false, true])
  expect(heads[1].trained_until.getTime()).toBe(START + 400 * WINDOW)
})
