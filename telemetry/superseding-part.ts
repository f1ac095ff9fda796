/** The shard that a superseding row of `window_aggregates` is on: before all others in the order of keys. */
export const SUPERSEDING_SHARD = -1

/** A row of `window_aggregates`, as far as it matters here. */
export interface CountedRow {
  count: number
  /** Datapoints that the parts beside it counted when it was written; null on a part. */
  superseded: number | null
}

/**
 * Which of a window's rows, in the order of their keys, its statistics come from: all its parts, or the row that
 * supersedes them. Undefined when a part has come since that row was written: its datapoints tell, and nothing else.
 */
export function countingRows<Row extends CountedRow>(rows: Row[]): Row[] | undefined {
  const [first, ...parts] = rows
  if (first === undefined || first.superseded === null) return rows
  return countOf(parts) === first.superseded ? [first] : undefined
}

/** What the parts among a window's rows count together. */
export const countOf = (rows: CountedRow[]): number =>
  rows.reduce((sum, { count, superseded }) => (superseded === null ? sum + count : sum), 0)
