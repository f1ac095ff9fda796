import { and, asc, eq, getTableColumns, gte, lt, lte, sql } from 'drizzle-orm'
import { windowAggregates } from '../../migrations/schema.ts'
import { featuresOfParts, type WindowFeatures, type WindowPart } from '../../telemetry/window-features.ts'
import { query } from '../database.ts'
import type { MetricRequest } from './metric-request.ts'
import { cursorText } from './parameters.ts'

/** Sketches that one page may read, for windows of several parts: they are merged in memory. */
export const MAX_SKETCH_BYTES = 8 * 1024 * 1024

/** A page of windows: at most `limit`, fewer where their sketches are many, and at least one if there is one. */
export async function windowPage(
  request: MetricRequest,
): Promise<{ windows: WindowFeatures[]; nextCursor: string | null }> {
  const sizes = await windowSizes(request)
  const shown = shownWindows(sizes, request.limit)
  const last = sizes[Math.min(shown, sizes.length) - 1]
  if (last === undefined) return { windows: [], nextCursor: null }
  const windows = mergeParts(await readParts(request, last.windowStart))
  return { windows, nextCursor: sizes.length > shown ? cursorText(last.windowStart.getTime()) : null }
}

/** Sketches are large, and a window of one part is finished without. */
function readParts(request: MetricRequest, last: Date): Promise<PartRow[]> {
  const { windowStart, sketch, ...columns } = getTableColumns(windowAggregates)
  const severalParts = sql`count(*) over (partition by ${windowStart}) > 1`
  const neededSketch = sql<Uint8Array | null>`case when ${severalParts} then ${sketch} end`.mapWith(sketch)
  return query(
    request.db
      .select({ windowStart, ...columns, sketch: neededSketch })
      .from(windowAggregates)
      .where(and(inRange(request), lte(windowStart, last)))
      .orderBy(asc(windowStart), asc(windowAggregates.shard), asc(windowAggregates.part)),
  )
}

interface WindowSize {
  windowStart: Date
  /** Of the sketches that must be read: 0 for a window of one part. */
  sketchBytes: number
}

/** The windows that a page may show, and the one after. */
function windowSizes(request: MetricRequest): Promise<WindowSize[]> {
  const { windowStart, sketch } = windowAggregates
  return query(
    request.db
      .select({
        windowStart,
        sketchBytes: sql<number>`case when count(*) > 1 then sum(octet_length(${sketch})) else 0 end`.mapWith(
          Number,
        ),
      })
      .from(windowAggregates)
      .where(inRange(request))
      .groupBy(windowStart)
      .orderBy(asc(windowStart))
      .limit(request.limit + 1),
  )
}

/** How many of these windows, at most `limit`, a page shows. */
export function shownWindows(sizes: Pick<WindowSize, 'sketchBytes'>[], limit: number): number {
  let bytes = 0
  const tooMany = sizes.findIndex(({ sketchBytes }) => {
    bytes += sketchBytes
    return bytes > MAX_SKETCH_BYTES
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

type PartRow = Omit<typeof windowAggregates.$inferSelect, 'sketch'> & { sketch: Uint8Array | null }

/** Features a window, from its parts in ascending order of window. */
function mergeParts(rows: PartRow[]): WindowFeatures[] {
  const windows = new Map<number, WindowPart[]>()
  for (const row of rows) {
    const windowStart = row.windowStart.getTime()
    const times = { windowStart, firstTs: row.firstTs.getTime(), lastTs: row.lastTs.getTime() }
    const part = { ...row, ...times, sketch: row.sketch ?? new Uint8Array() }
    const parts = windows.get(windowStart)
    if (parts === undefined) windows.set(windowStart, [part])
    else parts.push(part)
  }
  return Array.from(windows.values(), featuresOfParts)
}
