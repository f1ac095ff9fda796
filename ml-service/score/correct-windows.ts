import { WINDOW_MS } from '../../telemetry/window.ts'
import { partOfDatapoints, type WindowPart } from '../../telemetry/window-features.ts'
import type { Database } from '../database.ts'
import { datapointsByWindow } from '../features/read-windows.ts'
import type { Series } from '../metric-lookup.ts'
import { standingRow } from '../replay/judge-window.ts'
import { judgeWindows } from '../replay/rebuild-windows.ts'
import { upsertSuperseding } from '../replay/replay-sql.ts'
import { deleteMarks, type Mark, selectMarks } from './corrections-sql.ts'

/** Windows computed at once. */
const PAGE_MARKS = 500

/**
 * Computes the metric's corrected windows from its datapoints and lets the outcome supersede their parts, within the
 * caller's transaction. A window without parts keeps its mark: it is still open, and its shard will count both values.
 * A mark that grows meanwhile stays as well.
 */
export async function correctWindows(db: Database, series: Series): Promise<void> {
  for (let after = Number.NEGATIVE_INFINITY; ; ) {
    const marks = await selectMarks(db, series, { after, limit: PAGE_MARKS })
    const last = marks.at(-1)
    if (last === undefined) return
    const rows = await judgeWindows(db, series, await partsOf(db, series, marks), standingRow)
    if (rows.length > 0) await upsertSuperseding(db, series, rows)
    await deleteMarks(db, series, marks)
    after = last.windowStart
  }
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
