import { WINDOW_MS } from '../../telemetry/window.ts'
import { partOfDatapoints, type WindowPart } from '../../telemetry/window-features.ts'
import type { Database } from '../database.ts'
import { datapointsByWindow } from '../features/read-windows.ts'
import type { Series } from '../metric-lookup.ts'
import { standingRow } from '../replay/judge-window.ts'
import { selectWindowRows, upsertSuperseding } from '../replay/replay-sql.ts'
import { deleteMarks, type Mark, selectMarkedMetrics, selectMarks } from './corrections-sql.ts'

/** Windows computed at once. */
const PAGE_MARKS = 500

/**
 * Corrects those of one tenant's metrics that have marked windows; few do. Returns of these the start of the oldest
 * window that may have changed.
 */
export async function correctMarked(
  db: Database,
  tenantId: string,
  metrics: Series[],
): Promise<Map<string, number>> {
  const ids = metrics.map(({ metricId }) => metricId)
  const marked = new Set(await selectMarkedMetrics(db, tenantId, ids))
  const oldest = new Map<string, number>()
  for (const series of metrics) {
    const from = marked.has(series.metricId) ? await correctWindows(db, series) : undefined
    if (from !== undefined) oldest.set(series.metricId, from)
  }
  return oldest
}

/**
 * Computes the metric's corrected windows from its datapoints and lets the outcome supersede their parts, within the
 * caller's transaction. A window without parts keeps its mark: it is still open, and its shard will count both values.
 * A mark that grows meanwhile stays as well. Returns the start of the first of them, undefined where there is none.
 */
async function correctWindows(db: Database, series: Series): Promise<number | undefined> {
  let first: number | undefined
  for (let after = Number.NEGATIVE_INFINITY; ; ) {
    const marks = await selectMarks(db, series, { after, limit: PAGE_MARKS })
    const last = marks.at(-1)
    if (last === undefined) return first
    first ??= marks[0]!.windowStart
    await supersede(db, series, marks, { from: marks[0]!.windowStart, to: last.windowStart })
    await deleteMarks(db, series, marks)
    after = last.windowStart
  }
}

async function supersede(
  db: Database,
  series: Series,
  marks: Mark[],
  within: { from: number; to: number },
): Promise<void> {
  // The parts are read before the datapoints: of a part that comes in between the row will not know, which unsettles it.
  const found = Map.groupBy(await selectWindowRows(db, { ...series, ...within }), (row) => row.windowStart)
  const computed = await partsOf(db, series, marks)
  const rows = computed
    .map((part) => standingRow(found.get(part.windowStart) ?? [], part))
    .filter((row) => row !== undefined)
  if (rows.length > 0) await upsertSuperseding(db, series, rows)
}

/** What the datapoints of the marked windows come to; nothing of those whose datapoints have expired. */
async function partsOf(db: Database, series: Series, marks: Mark[]): Promise<WindowPart[]> {
  const parts: WindowPart[] = []
  for (const { from, to } of runsOf(marks)) {
    for await (const { windowStart, ts, values } of datapointsByWindow(db, { ...series, from, to })) {
      parts.push(partOfDatapoints(windowStart, ts, values))
    }
  }
  return parts
}

/** Ranges of windows that follow each other, of marks in ascending order. */
export function runsOf(marks: Pick<Mark, 'windowStart'>[]): { from: number; to: number }[] {
  const runs: { from: number; to: number }[] = []
  for (const { windowStart } of marks) {
    const run = runs.at(-1)
    if (run?.to === windowStart) run.to += WINDOW_MS
    else runs.push({ from: windowStart, to: windowStart + WINDOW_MS })
  }
  return runs
}
