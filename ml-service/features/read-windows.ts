import { windowStartOf } from '../../telemetry/window.ts'
import { featuresOfParts, featuresOfValues, type WindowFeatures } from '../../telemetry/window-features.ts'
import type { Database } from '../database.ts'
import { type PartRow, selectDatapoints, selectParts, type WindowRange } from './windows-sql.ts'

/** Rows a page: bounds memory, whatever the range. */
const PAGE_PARTS = 2000
const PAGE_DATAPOINTS = 20_000

/** A window with the number of parts it was made of. */
export interface ReadWindow {
  window: WindowFeatures
  parts: number
}

/** The windows of the range that have aggregates, oldest first, a page at a time. */
export async function* windowsOfAggregates(db: Database, range: WindowRange): AsyncGenerator<ReadWindow> {
  let limit = PAGE_PARTS
  for (let from = range.from; ; ) {
    const rows = await selectParts(db, { ...range, from }, limit)
    const groups = groupByWindow(rows)
    const cutShort = rows.length === limit ? groups.pop() : undefined
    for (const group of groups) yield { window: featuresOfParts(group.map(partOf)), parts: group.length }
    if (cutShort === undefined) return
    from = cutShort[0]!.windowStart
    limit = groups.length === 0 ? limit * 2 : PAGE_PARTS // one window of more parts than a page
  }
}

/**
 * The windows of the range that hold datapoints and ended by `now`, oldest first. Memory holds a page and
 * the datapoints of one window.
 */
export async function* windowsOfDatapoints(
  db: Database,
  range: WindowRange,
  now: number,
): AsyncGenerator<WindowFeatures> {
  const to = Math.min(range.to, windowStartOf(now))
  let start: number | undefined
  let values: number[] = []
  for (let from = range.from; ; ) {
    const page = await selectDatapoints(db, { ...range, from, to }, PAGE_DATAPOINTS)
    for (const { ts, value } of page) {
      if (start !== undefined && windowStartOf(ts) !== start) {
        yield featuresOfValues(start, values)
        values = []
      }
      start = windowStartOf(ts)
      values.push(value)
    }
    if (page.length < PAGE_DATAPOINTS) break
    from = page[page.length - 1]!.ts + 1 // timestamps are stored to the millisecond, one row each
  }
  if (start !== undefined) yield featuresOfValues(start, values)
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
