import type pg from 'pg'
import { markDue } from '../../telemetry/batch-statements.ts'
import { WINDOW_MS, windowStartOf } from '../../telemetry/window.ts'
import { partOfDatapoints, type WindowPart } from '../../telemetry/window-features.ts'
import { inTransaction, scopedDatabase } from '../database.ts'
import { datapointsByWindow } from '../features/read-windows.ts'
import { supersedingRow } from './judge-window.ts'
import type { Range } from './plan-replay.ts'
import { type Frontier, selectFrontiers, selectWindowRows, upsertSuperseding } from './replay-sql.ts'

/** How far event time runs past a window's end before its shard closes it. */
const ALLOWED_LATENESS_MS = 60_000

const PAGE_METRICS = 500
/** Windows compared at once, and written in one transaction. */
const PAGE_WINDOWS = 500
/** Metrics worked on at once: most of the time goes by waiting for Postgres. */
const WORKERS = 4

const BEFORE_ALL = '00000000-0000-0000-0000-000000000000'

/**
 * Compares every closed window of the tenant that overlaps the range with its datapoints, writes a superseding row
 * where it tells something else, and marks the metric due for scoring. Returns how many it wrote; idempotent.
 */
export async function rebuildWindows(
  pool: pg.Pool,
  tenantId: string,
  range: Range,
  now: number,
  onMetric: () => void,
): Promise<number> {
  const db = scopedDatabase(pool, { tenantId })
  let written = 0
  for (let after = BEFORE_ALL; ; ) {
    const page = await selectFrontiers(db, { tenantId, from: range.from, after, limit: PAGE_METRICS })
    const left = page.values()
    const work = async () => {
      for (const frontier of left) {
        const ofMetric = await rebuildMetric(pool, tenantId, frontier, range, now)
        written += ofMetric // not in one expression: that would read the sum before it waits
        onMetric()
      }
    }
    await Promise.all(Array.from({ length: WORKERS }, work))
    const last = page.at(-1)
    if (last === undefined || page.length < PAGE_METRICS) return written
    after = last.metricId
  }
}

async function rebuildMetric(
  pool: pg.Pool,
  tenantId: string,
  frontier: Frontier,
  range: Range,
  now: number,
): Promise<number> {
  const metric = { tenantId, metricId: frontier.metricId }
  const from = windowStartOf(range.from)
  const to = Math.min(windowStartOf(range.to - 1) + WINDOW_MS, closedUntil(frontier, now))
  if (from >= to) return 0
  let written = 0
  let page: WindowPart[] = []
  for await (const { windowStart, ts, values } of datapointsByWindow(scopedDatabase(pool, metric), {
    ...metric,
    from,
    to,
  })) {
    page.push(partOfDatapoints(windowStart, ts, values))
    if (page.length < PAGE_WINDOWS) continue
    written += await supersede(pool, metric, page)
    page = []
  }
  return written + (await supersede(pool, metric, page))
}

/**
 * The end of the last window that is closed, by the shard's own rule: one that is still open comes as a part in
 * time. Should the series be taken for a little further than it is, that part unsettles the row written here, and
 * readers go by the datapoints.
 */
export function closedUntil({ lastTs, lastArrival }: Omit<Frontier, 'metricId'>, now: number): number {
  const watermark = lastTs + Math.max(0, now - lastArrival)
  return windowStartOf(watermark - ALLOWED_LATENESS_MS)
}

async function supersede(
  pool: pg.Pool,
  metric: { tenantId: string; metricId: string },
  computed: WindowPart[],
): Promise<number> {
  const [first, last] = [computed[0], computed.at(-1)]
  if (first === undefined || last === undefined) return 0
  const within = { ...metric, from: first.windowStart, to: last.windowStart }
  const found = Map.groupBy(
    await selectWindowRows(scopedDatabase(pool, metric), within),
    ({ windowStart }) => windowStart,
  )
  const rows = computed
    .map((part) => supersedingRow(found.get(part.windowStart) ?? [], part))
    .filter((row) => row !== undefined)
  if (rows.length === 0) return 0
  await inTransaction(pool, metric, async (db) => {
    // The due row first, as who scores the metric: in the other order the two would wait for each other.
    await db.query(markDue(metric.tenantId, [metric.metricId], [rows[0]!.windowStart])) // the oldest of them
    await upsertSuperseding(db, metric, rows)
  })
  return rows.length
}
