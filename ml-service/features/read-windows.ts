import { countingRows } from '../../telemetry/superseding-part.ts'
import { WINDOW_MS, windowStartOf } from '../../telemetry/window.ts'
import { featuresOfParts, featuresOfValues, type WindowFeatures } from '../../telemetry/window-features.ts'
import type { Database } from '../database.ts'
import { type PartRow, selectDatapoints, selectParts, type WindowRange } from './windows-sql.ts'

/** Rows a page: bounds memory, whatever the range. */
const PAGE_PARTS = 2000
const PAGE_DATAPOINTS = 20_000

export interface ReadWindow {
  window: WindowFeatures
  /** How many parts it was made of; where a row supersedes them, its revisions count as well. */
  parts: number
}

/** The windows of the range that have aggregates, oldest first, a page at a time. */
export async function* windowsOfAggregates(db: Database, range: WindowRange): AsyncGenerator<ReadWindow> {
  let limit = PAGE_PARTS
  for (let from = range.from; ; ) {
    const rows = await selectParts(db, { ...range, from }, limit)
    const groups = groupByWindow(rows)
    const cutShort = rows.length === limit ? groups.pop() : undefined
    for (const group of groups) yield { window: await featuresOf(db, range, group), parts: weightOf(group) }
    if (cutShort === undefined) return
    from = cutShort[0]!.windowStart
    limit = groups.length === 0 ? limit * 2 : PAGE_PARTS // one window of more parts than a page
  }
}

/** A window that a part came to since it was superseded is computed from its datapoints. */
async function featuresOf(db: Database, range: WindowRange, rows: PartRow[]): Promise<WindowFeatures> {
  const counting = countingRows(rows)
  if (counting !== undefined) return featuresOfParts(counting.map(partOf))
  const from = rows[0]!.windowStart
  const within = datapointsByWindow(db, { ...range, from, to: from + WINDOW_MS })
  for await (const { values } of within) return featuresOfValues(from, values)
  return featuresOfParts(rows.slice(0, 1).map(partOf)) // they have expired
}

const weightOf = (rows: PartRow[]) => rows.reduce((sum, { revision }) => sum + (revision ?? 1), 0)

/** A window's datapoints, ascending in time. */
export interface WindowDatapoints {
  windowStart: number
  ts: number[]
  values: number[]
}

/** The range's datapoints, a window at a time, oldest first. Memory holds a page and the datapoints of one window. */
export async function* datapointsByWindow(
  db: Database,
  range: WindowRange,
): AsyncGenerator<WindowDatapoints> {
  let window: WindowDatapoints | undefined
  for (let from = range.from; ; ) {
    const page = await selectDatapoints(db, { ...range, from }, PAGE_DATAPOINTS)
    for (const [i, ts] of page.ts.entries()) {
      const windowStart = windowStartOf(ts)
      if (window !== undefined && window.windowStart !== windowStart) yield window
      if (window?.windowStart !== windowStart) window = { windowStart, ts: [], values: [] }
      window.ts.push(ts)
      window.values.push(page.values[i]!)
    }
    if (page.ts.length < PAGE_DATAPOINTS) break
    from = page.ts[page.ts.length - 1]! + 1 // timestamps are stored to the millisecond, one row each
  }
  if (window !== undefined) yield window
}

/** The windows of the range that hold datapoints and ended by `now`, oldest first. */
export async function* windowsOfDatapoints(
  db: Database,
  range: WindowRange,
  now: number,
): AsyncGenerator<WindowFeatures> {
  const to = Math.min(range.to, windowStartOf(now))
  for await (const { windowStart, values } of datapointsByWindow(db, { ...range, to })) {
    yield featuresOfValues(windowStart, values)
  }
}

/**
 * Both sources: a window is complete once it has aggregates; those that ended but have none yet (the shard
 * closes a window up to a few minutes after its end) are computed from their datapoints.
 */
export async function* windowsOfBoth(
  db: Database,
  range: WindowRange,
  now: number,
): AsyncGenerator<WindowFeatures> {
  const aggregates = windowsOfAggregates(db, range)
  let next = await aggregates.next()
  for await (const window of windowsOfDatapoints(db, range, now)) {
    while (!next.done && next.value.window.windowStart < window.windowStart) {
      yield next.value.window
      next = await aggregates.next()
    }
    if (!next.done && next.value.window.windowStart === window.windowStart) continue
    yield window
  }
  for (; !next.done; next = await aggregates.next()) yield next.value.window
}

function groupByWindow(rows: PartRow[]): PartRow[][] {
  const groups: PartRow[][] = []
  for (const row of rows) {
    const group = groups[groups.length - 1]
    if (group?.[0]?.windowStart === row.windowStart) group.push(row)
    else groups.push([row])
  }
  return groups
}

const NO_SKETCH = new Uint8Array()

const partOf = (row: PartRow) => ({ ...row, sketch: row.sketch ?? NO_SKETCH })
