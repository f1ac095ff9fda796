import { featuresOfOnlyPart, type WindowFeatures } from '../../telemetry/window-features.ts'
import { type Database, isConflict, isUnreachable } from '../database.ts'
import { MetricError } from '../metric-error.ts'
import { windowsOfAggregates } from './read-windows.ts'
import { type PartColumns, selectPartColumns, type WindowRange } from './windows-sql.ts'

/** The first windows of one metric's range. */
export interface MetricWindows {
  windows: WindowFeatures[]
  /** Of how many parts each was made, revisions counted as in ReadWindow. */
  parts: number[]
  /** Whether the range may hold more. */
  cutShort: boolean
}

/**
 * The first windows, about `limit` at most, of several metrics of one tenant at once; a metric without any is
 * missing from the answer. The windows are those of `windowsOfAggregates`.
 */
export async function readChunk(
  db: Database,
  tenantId: string,
  ranges: Omit<WindowRange, 'tenantId'>[],
  limit: number,
): Promise<Map<string, MetricWindows>> {
  const found = new Map<string, MetricWindows>()
  const rangeOf = new Map(ranges.map((range) => [range.metricId, range]))
  for (const columns of await selectPartColumns(db, tenantId, ranges, limit)) {
    const range = { tenantId, ...rangeOf.get(columns.metricId)! }
    const metric = ofOnlyParts(columns, limit) ?? (await ofManyParts(db, range, limit))
    found.set(columns.metricId, metric)
  }
  return found
}

/** Undefined where a window has several rows: only the rows tell what they make together. */
function ofOnlyParts(columns: PartColumns, limit: number): MetricWindows | undefined {
  const { start, superseding } = columns
  if (superseding || start.some((at, i) => at === start[i - 1])) return undefined
  // The last of a full page may have more rows behind it.
  const cutShort = start.length === limit
  const count = cutShort ? limit - 1 : start.length
  if (count === 0) return undefined
  return {
    windows: Array.from({ length: count }, (_, i) => windowAt(columns, i)),
    parts: new Array<number>(count).fill(1),
    cutShort,
  }
}

const windowAt = ({ start, count, mean, m2, min, max, median, mad }: PartColumns, i: number) =>
  featuresOfOnlyPart({
    windowStart: start[i]! * 1000,
    ...{ count: count[i]!, mean: mean[i]!, m2: m2[i]!, min: min[i]!, max: max[i]! },
    ...{ median: median[i]!, mad: mad[i]! },
  })

async function ofManyParts(db: Database, range: WindowRange, limit: number): Promise<MetricWindows> {
  const read: MetricWindows = { windows: [], parts: [], cutShort: false }
  try {
    for await (const { window, parts } of windowsOfAggregates(db, range)) {
      read.windows.push(window)
      read.parts.push(parts)
      if (read.windows.length < limit) continue
      read.cutShort = window.windowEnd < range.to
      break
    }
  } catch (error) {
    if (isUnreachable(error) || isConflict(error)) throw error
    throw new MetricError(range, error)
  }
  return read
}
