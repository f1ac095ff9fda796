import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { batchTransactions } from '../../telemetry/batch-transactions.ts'
import { groupBySeries } from '../../telemetry/columns.ts'
import { inTransaction, openPool, scopedDatabase } from '../database.ts'
import type { Series } from '../metric-lookup.ts'
import { scoreSeries } from '../score/score-series.ts'
import { addEndpoint, addRule } from '../testing/seed-alerting.ts'
import { seedTenant } from '../testing/seed-tenant.ts'
import { steadyPoints, WINDOW } from '../testing/synthetic.ts'
import { openArtefactStore } from '../train/artefact-store.ts'
import { selectTraceId } from './trace-sql.ts'

const START = Date.UTC(2026, 0, 1)
const trace = (n: number) => `00000000-0000-4000-8000-00000000000${n}`

let pool: pg.Pool
beforeAll(() => {
  pool = openPool(inject('databaseUrl'))
})
afterAll(() => pool.end())

async function newSeries() {
  const tenant = await seedTenant(pool)
  return { tenant, series: await tenant.series('pump', 'temperature') }
}

/** Stores a batch of datapoints of one series as the consumer does. */
async function store(
  series: Series,
  batch: { batchId: string; receivedAt: number; traceId?: string | null },
  ts: number[],
): Promise<void> {
  const { columns } = groupBySeries({
    names: [{ device: series.device, metric: series.metric, unit: null }],
    ...{
      seriesOf: new Uint32Array(ts.length),
      ts: Float64Array.from(ts),
      values: new Float64Array(ts.length),
    },
  })
  const loaded = { ...batch, r2Key: 'k', shard: 0, rejected: 0, columns }
  await inTransaction(pool, series, async (db) => {
    for (const statements of batchTransactions(series.tenantId, [loaded], Date.now())) {
      for (const statement of statements) await db.query(statement)
    }
  })
}

const traceOf = (series: Series, from = START) =>
  selectTraceId(scopedDatabase(pool, series), series, { from, to: from + WINDOW })

describe('the trace of a window', () => {
  it('is that of the batch that brought its newest datapoint, in whatever order batches came', async () => {
    const { series } = await newSeries()
    await store(series, { batchId: 'late', receivedAt: START + 9000, traceId: trace(1) }, [START + 1000])
    await store(series, { batchId: 'newest', receivedAt: START + 5000, traceId: trace(2) }, [START + 299_999])
    await store(series, { batchId: 'next', receivedAt: START + 9500, traceId: trace(3) }, [START + WINDOW])
    expect(await traceOf(series)).toBe(trace(2))
    expect(await traceOf(series, START + WINDOW)).toBe(trace(3))
  })

  it('is told apart from those of batches that came in the same millisecond', async () => {
    const { series } = await newSeries()
    const receivedAt = START + 301_000
    for (const n of [1, 2, 3]) {
      await store(series, { batchId: `b-${n}`, receivedAt, traceId: trace(n) }, [START + n * 1000])
    }
    expect(await traceOf(series)).toBe(trace(3))
  })

  it('is unknown where nothing is stored, or its batch came without one, as those of a replay do', async () => {
    const { series } = await newSeries()
    expect(await traceOf(series)).toBeUndefined()
    await store(series, { batchId: 'replayed', receivedAt: START + 1 }, [START])
    expect(await traceOf(series)).toBeUndefined()
  })

  it('is found by indexes alone, of the one day and the one millisecond', async () => {
    const { series } = await newSeries()
    await pool.query(
      `insert into batches (tenant_id, batch_id, r2_key, status, received_at)
       select $1, 'b' || i, 'k', 'persisted', $2::timestamptz + i * interval '1 ms' from generate_series(1, 5000) as i`,
      [series.tenantId, new Date(START)],
    )
    await store(series, { batchId: 'b', receivedAt: START + 1, traceId: trace(1) }, [START])
    await pool.query('analyze batches')
    const plans: string[] = []
    await inTransaction(pool, series, async (db) => {
      await selectTraceId(
        {
          query: async (query, values) => {
            const { rows } = await db.query<{ 'QUERY PLAN': string }>(`explain ${String(query)}`, values)
            plans.push(...rows.map((row) => row['QUERY PLAN']))
            return db.query(query, values)
          },
        },
        series,
        { from: START, to: START + WINDOW },
      )
    })
    expect(plans.join('\n')).toMatch(/Index Scan using batches_by_time/)
    expect(plans.join('\n')).not.toMatch(/Seq Scan on batches/)
  })
})

it('an alert, and what its receivers get when it opens and when it ends, goes by the trace of its batch', async () => {
  const { tenant, series } = await newSeries()
  await addRule(pool, tenant.tenantId)
  await addEndpoint(pool, tenant.tenantId, 'https://hooks.example.com/')
  const [opening, ending] = [START + 180 * WINDOW, START + 190 * WINDOW]
  await store(series, { batchId: 'cause', receivedAt: opening, traceId: trace(7) }, [opening + 1000])
  await store(series, { batchId: 'relief', receivedAt: ending, traceId: trace(8) }, [ending + 1000])
  const change = (i: number, value: number) => (i >= 180 && i < 190 ? value + 40 : value)
  await tenant.write(series, steadyPoints(START, 200, { change }))
  const artefacts = openArtefactStore(tenant.modelDir)
  const { alerts } = await inTransaction(pool, series, (db) =>
    scoreSeries(db, { store: artefacts, now: START + 200 * WINDOW }, series),
  )
  expect(alerts.map(({ change, event }) => [change, event.traceId])).toEqual([
    ['opened', trace(7)],
    ['resolved', trace(7)],
  ])
  const { rows } = await pool.query(
    'select type, trace_id from webhook_deliveries where tenant_id = $1 order by sequence',
    [tenant.tenantId],
  )
  expect(rows).toEqual([
    { type: 'alert.opened', trace_id: trace(7) },
    { type: 'alert.resolved', trace_id: trace(7) },
  ])
})
