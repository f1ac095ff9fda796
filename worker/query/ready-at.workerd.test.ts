import { expect, it } from 'vitest'
import { sql } from '../testing/owner-sql.ts'
import { insertMetric, list } from '../testing/reads.ts'
import { createTenant, type TestTenant } from '../testing/tenant.ts'

const WINDOW_MS = 300_000
const HOUR_MS = 3_600_000
const now = Math.floor(Date.now() / WINDOW_MS) * WINDOW_MS

interface Owned {
  tenant: TestTenant
  metricId: string
}

/** A metric whose windows that end at `now` and before, oldest first, were learned or scored. */
async function metricWith(windows: { state: 'learning' | 'ready'; readyAt?: number }[]): Promise<Owned> {
  const tenant = await createTenant()
  const metricId = await insertMetric(sql, tenant)
  const rows = windows.map(({ state, readyAt }, i) => {
    const end = now - (windows.length - 1 - i) * WINDOW_MS
    const readyAtOrNull = readyAt === undefined ? null : new Date(readyAt)
    return sql`insert into anomaly_scores
        (tenant_id, metric_id, window_start, window_end, score, onset_score, state, ready_at, scored_at)
      values (${tenant.id}, ${metricId}, ${new Date(end - WINDOW_MS)}, ${new Date(end)}, 0, 0, ${state},
        ${readyAtOrNull}, now())`
  })
  if (rows.length > 0) await sql.transaction(rows)
  return { tenant, metricId }
}

/** What the metric itself says, then what its windows say. */
async function told({ tenant, metricId }: Owned) {
  const metrics = await list(tenant, `/v1/metrics?id=${metricId}`)
  const windows = await list(tenant, `/v1/anomalies?metric_id=${metricId}`)
  return [...metrics.data, ...windows.data].map(({ state, ready_at: readyAt }) => [state, readyAt])
}

const iso = (time: number) => new Date(time).toISOString()

it('says when learning will be over, as known with each window', async () => {
  const [first, second] = [now + 9 * HOUR_MS, now + 12 * HOUR_MS]
  const metric = await metricWith([
    { state: 'learning', readyAt: first },
    { state: 'learning', readyAt: second },
  ])
  expect(await told(metric)).toEqual([
    ['learning', iso(second)],
    ['learning', iso(first)],
    ['learning', iso(second)],
  ])
})

it('never names a time that has passed: who stopped sending while learning is not ready', async () => {
  const metric = await metricWith([{ state: 'learning', readyAt: now - 1 }])
  expect(await told(metric)).toEqual([
    ['learning', null],
    ['learning', null],
  ])
})

it('says nothing of it once the metric is ready, nor before any window was scored', async () => {
  const ready = await metricWith([{ state: 'learning', readyAt: now - 1 }, { state: 'ready' }])
  expect(await told(ready)).toEqual([
    ['ready', null],
    ['learning', null],
    ['ready', null],
  ])
  expect(await told(await metricWith([]))).toEqual([[null, null]])
})
