import pg from 'pg'
import * as v from 'valibot'
import { expect } from 'vitest'
import type { DevFile } from '../local/dev-file.ts'
import { WINDOW_MS } from '../telemetry/window.ts'
import { expectExactlyOnce, type Tenant } from './exactly-once.ts'
import type { Ledger } from './gateways.ts'

const SETTLED_WITHIN_MS = 120_000

/**
 * Waits until nothing is under way any more; then what gateways were told is what usage counts, what is stored, batch
 * by batch and value by value, and what the windows are made of, and nothing was given up.
 */
export async function expectAsHeard(file: DevFile, tenant: Tenant, ledger: Ledger): Promise<void> {
  expect(ledger.wrong).toEqual([])
  await expect
    .poll(() => pendingOf(tenant), { timeout: SETTLED_WITHIN_MS, interval: 250 })
    .toEqual({ batches_pending: 0, oldest_pending_seconds: null, batches_failed: 0, warnings: [] })
  await expectExactlyOnce(file, tenant, ledger.accepted)
  await expect
    .poll(() => storedOf(file, tenant), { timeout: SETTLED_WITHIN_MS, interval: 250 })
    .toEqual(storedFor(ledger))
  await expectUsage(tenant, ledger)
}

const Pending = v.object({
  batches_pending: v.number(),
  oldest_pending_seconds: v.nullable(v.number()),
  batches_failed: v.nullable(v.number()),
  warnings: v.array(v.unknown()),
})

/** What of a tenant's data has not arrived. */
export const pendingOf = ({ api }: Tenant) => api.json('/v1/status', Pending)

/** What the database must come to hold. */
function storedFor(ledger: Ledger) {
  const batches = [...ledger.receipts].map(([batch_id, receipt]) => ({ batch_id, ...receipt }))
  return {
    batches: batches.toSorted((a, b) => (a.batch_id < b.batch_id ? -1 : 1)),
    ...{ datapoints: ledger.accepted, values: ledger.values, deadLetters: 0, wrongWindows: 0 },
    billed: { datapoints: ledger.accepted, batches: batches.length, rejected: ledger.rejected },
  }
}

/** A part of a window that says something else than its datapoints. */
const WRONG_WINDOWS = `
with points as (
  select metric_id, date_bin('${WINDOW_MS} ms', ts, 'epoch') as window_start, count(*) as count, min(value) as min,
    max(value) as max, round(sum(value)) as sum
  from datapoints where tenant_id = $1 group by 1, 2
), windows as (
  select metric_id, window_start, sum(count) as count, min(min) as min, max(max) as max,
    round(sum(count * mean)) as sum
  from window_aggregates where tenant_id = $1 group by 1, 2
)
select count(*)::int as n from windows left join points using (metric_id, window_start)
where (points.count, points.min, points.max, points.sum)
  is distinct from (windows.count, windows.min, windows.max, windows.sum)`

const STORED = `select
  (select count(*)::int from datapoints where tenant_id = $1) as datapoints,
  (select coalesce(sum(value), 0) from datapoints where tenant_id = $1) as values,
  (select count(*)::int from dead_letters where tenant_id = $1) as "deadLetters",
  (select json_build_object('datapoints', sum(datapoints), 'batches', sum(batches), 'rejected', sum(rejected))
    from usage_daily where tenant_id = $1) as billed`

const BATCHES = `select batch_id, datapoints, rejected from batches
  where tenant_id = $1 and status = 'persisted' order by batch_id collate "C"`

async function storedOf({ database_url }: DevFile, { tenantId }: Tenant) {
  const client = new pg.Client({ connectionString: database_url })
  await client.connect()
  try {
    const read = async (text: string) => (await client.query(text, [tenantId])).rows
    const [[stored], [wrong], batches] = [await read(STORED), await read(WRONG_WINDOWS), await read(BATCHES)]
    return { ...stored, wrongWindows: wrong.n, batches }
  } finally {
    await client.end()
  }
}

const Usage = v.object({
  total: v.object({
    datapoints: v.number(),
    batches: v.number(),
    rejected: v.number(),
    duplicates: v.number(),
  }),
})

async function expectUsage({ api }: Tenant, ledger: Ledger): Promise<void> {
  const day = (ms: number) => new Date(ms).toISOString().slice(0, 10)
  const { total } = await api.json(
    `/v1/usage?from=${day(Date.now() - 86_400_000)}&to=${day(Date.now())}`,
    Usage,
  )
  expect(total).toMatchObject(storedFor(ledger).billed)
  expect(total.duplicates).toBeGreaterThanOrEqual(ledger.duplicates.heard)
  expect(total.duplicates).toBeLessThanOrEqual(ledger.duplicates.possible)
}
