import { and, asc, eq, getTableColumns, gte, lt, lte, or, sql } from 'drizzle-orm'
import { datapoints, windowAggregates } from '../../migrations/schema.ts'
import { countingRows } from '../../telemetry/superseding-part.ts'
import { WINDOW_MS, windowStartOf } from '../../telemetry/window.ts'
import {
  featuresOfParts,
  featuresOfValues,
  type WindowFeatures,
  type WindowPart,
} from '../../telemetry/window-features.ts'
import { db, query } from '../database.ts'
import type { MetricRequest } from './metric-request.ts'
import { cursorText } from './parameters.ts'

/** Sketches and datapoints that one page may read, for windows that no single row tells. */
export const MAX_READ_BYTES = 8 * 1024 * 1024

/** A page of windows: at most `limit`, fewer where their sketches are many, and at least one if there is one. */
export async function windowPage(
  request: MetricRequest,
): Promise<{ windows: WindowFeatures[]; nextCursor: string | null }> {
  const sizes = await windowSizes(request)
  const shown = shownWindows(sizes, request.limit)
  const last = sizes[Math.min(shown, sizes.length) - 1]
  if (last === undefined) return { windows: [], nextCursor: null }
  const unsettled = sizes.slice(0, shown).filter(({ isUnsettled }) => isUnsettled)
  const [rows, values] = await Promise.all([
    readRows(request, last.windowStart),
    readValues(request, unsettled),
  ])
  const windows = windowsOf(rows, values)
  return { windows, nextCursor: sizes.length > shown ? cursorText(last.windowStart.getTime()) : null }
}

/** Sketches are large, and a window of one part is finished without, as a superseded one is. */
function readRows(request: MetricRequest, last: Date): Promise<WindowRow[]> {
  const { windowStart, sketch, ...columns } = getTableColumns(windowAggregates)
  const ofWindow = sql`over (partition by ${windowStart})`
  const severalParts = sql`count(*) ${ofWindow} > 1 and max(${windowAggregates.superseded}) ${ofWindow} is null`
  const neededSketch = sql<Uint8Array | null>`case when ${severalParts} then ${sketch} end`.mapWith(sketch)
  return query(
    request.c,
    db
      .select({ windowStart, ...columns, sketch: neededSketch })
      .from(windowAggregates)
      .where(and(inRange(request), lte(windowStart, last)))
      .orderBy(asc(windowStart), asc(windowAggregates.shard), asc(windowAggregates.part)),
  )
}

/** The values of windows that a part came to since they were superseded, by the window's start. */
async function readValues(
  { c, tenantId, metricId }: MetricRequest,
  unsettled: WindowSize[],
): Promise<Map<number, number[]>> {
  if (unsettled.length === 0) return new Map()
  const { ts, value } = datapoints
  const within = ({ windowStart }: WindowSize) =>
    and(gte(ts, windowStart), lt(ts, new Date(windowStart.getTime() + WINDOW_MS)))
  const rows = await query(
    c,
    db
      .select({ ts, value })
      .from(datapoints)
      .where(
        and(
          eq(datapoints.tenantId, tenantId),
          eq(datapoints.metricId, metricId),
          or(...unsettled.map(within)),
        ),
      ),
  )
  const byWindow = Map.groupBy(rows, (row) => windowStartOf(row.ts.getTime()))
  return new Map(Array.from(byWindow, ([start, ofWindow]) => [start, ofWindow.map((row) => row.value)]))
}

interface WindowSize {
  windowStart: Date
  /** Of the sketches or the datapoints that must be read: 0 for a window of one part. */
  readBytes: number
  /** Whether a part came to it since it was superseded: see telemetry/superseding-part.ts. */
  isUnsettled: boolean
}

/** A datapoint as JSON, roughly. */
const DATAPOINT_BYTES = 50

/** The windows that a page may show, and the one after. */
function windowSizes(request: MetricRequest): Promise<WindowSize[]> {
  const { windowStart, sketch, superseded, count } = windowAggregates
  const unsettled = sql`coalesce(sum(${count}) filter (where ${superseded} is null), 0) <> max(${superseded})`
  return query(
    request.c,
    db
      .select({
        windowStart,
        readBytes: sql<number>`case
          when ${unsettled} then ${DATAPOINT_BYTES}::int8 * sum(${count})
          when count(*) > 1 and max(${superseded}) is null then sum(octet_length(${sketch}))
          else 0 end`.mapWith(Number),
        isUnsettled: sql<boolean>`coalesce(${unsettled}, false)`.mapWith(Boolean),
      })
      .from(windowAggregates)
      .where(inRange(request))
      .groupBy(windowStart)
      .orderBy(asc(windowStart))
      .limit(request.limit + 1),
  )
}

/** How many of these windows, at most `limit`, a page shows. */
export function shownWindows(sizes: Pick<WindowSize, 'readBytes'>[], limit: number): number {
  let bytes = 0
  const tooMany = sizes.findIndex(({ readBytes }) => {
    bytes += readBytes
    return bytes > MAX_READ_BYTES
  })
  return tooMany < 0 ? limit : Math.min(limit, Math.max(1, tooMany))
}

const inRange = ({ tenantId, metricId, from, to }: MetricRequest) =>
  and(
    eq(windowAggregates.tenantId, tenantId),
    eq(windowAggregates.metricId, metricId),
    gte(windowAggregates.windowStart, from),
    lt(windowAggregates.windowStart, to),
  )

type WindowRow = Omit<typeof windowAggregates.$inferSelect, 'sketch'> & { sketch: Uint8Array | null }

/** Features a window, from its rows in the order of their keys; from its values where only they tell. */
function windowsOf(rows: WindowRow[], values: Map<number, number[]>): WindowFeatures[] {
  const byWindow = Map.groupBy(rows, ({ windowStart }) => windowStart.getTime())
  return Array.from(byWindow, ([windowStart, ofWindow]) => {
    const counting = countingRows(ofWindow)
    if (counting !== undefined) return featuresOfParts(counting.map(partOf))
    const found = values.get(windowStart)
    // None: they have expired.
    return found ? featuresOfValues(windowStart, found) : featuresOfParts(ofWindow.slice(0, 1).map(partOf))
  })
}

const partOf = (row: WindowRow): WindowPart => ({
  ...row,
  windowStart: row.windowStart.getTime(),
  firstTs: row.firstTs.getTime(),
  lastTs: row.lastTs.getTime(),
  sketch: row.sketch ?? new Uint8Array(),
})
