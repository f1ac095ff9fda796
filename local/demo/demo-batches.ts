import { gzipSync } from 'node:zlib'
import type { DemoSeries } from './demo-series.ts'

const DAY_MS = 86_400_000

/** One buffer of a gateway, as it sends it. */
export interface DemoBatch {
  id: string
  source: string
  body: string | Uint8Array<ArrayBuffer>
  headers: Record<string, string>
  datapoints: number
  /** Sent a second time, as after an answer that was lost. */
  twice: boolean
}

/** How much time a gateway buffers before it sends; the minute series fill a batch sooner. */
const BUFFER_MS: Record<string, number> = { 'plant-gateway': DAY_MS }
const DEFAULT_BUFFER_MS = 362 * 60_000 // no multiple of 5 min: two batches then share a window

/**
 * Everything the demo sends, gateway by gateway in the order it is sent. Depends on its input alone, so that a
 * run that was cut short sends the same bytes again. Every seventh batch is sent twice, every tenth comes last
 * of all and backwards (a gateway that was offline), every third is compressed, every fifth in the flat shape.
 */
export function demoBatches(series: DemoSeries[], anchor: number): DemoBatch[][] {
  const sources = [...new Set(series.map(({ source }) => source))]
  return sources.map((source) => {
    const own = series.filter((one) => one.source === source)
    const batches = buffers(own, BUFFER_MS[source] ?? DEFAULT_BUFFER_MS).map((buffer, i, all) => {
      const isLate = i % 10 === 4 && i < all.length - 3
      return {
        isLate,
        batch: encode(buffer, { id: `demo-${anchor / 1000}-${source}-${i}`, source, i, isLate }),
      }
    })
    const inOrder = batches.filter(({ isLate }) => !isLate)
    const late = batches.filter(({ isLate }) => isLate)
    return [...inOrder, ...late].map(({ batch }) => batch)
  })
}

/** What a gateway holds at each moment it sends: the points of `bufferMs` of all its series. */
function buffers(series: DemoSeries[], bufferMs: number): DemoSeries[][] {
  const first = Math.min(...series.map(({ points }) => points[0]?.[0] ?? 0))
  const slotOf = (ts: number) => Math.floor((ts - first) / bufferMs)
  const slots = new Map<number, DemoSeries[]>()
  for (const one of series) {
    for (const [slot, points] of Map.groupBy(one.points, ([ts]) => slotOf(ts))) {
      slots.set(slot, [...(slots.get(slot) ?? []), { ...one, points }])
    }
  }
  return [...slots].sort(([a], [b]) => a - b).map(([, buffer]) => buffer)
}

function encode(
  buffer: DemoSeries[],
  { id, source, i, isLate }: { id: string; source: string; i: number; isLate: boolean },
): DemoBatch {
  const series = buffer.map(({ device, metric, points }) => ({
    device,
    metric,
    points: isLate ? points.toReversed() : points,
  }))
  const content =
    i % 5 === 3
      ? series.flatMap(({ device, metric, points }) =>
          points.map(([ts, value]) => ({ device, metric, ts: new Date(ts).toISOString(), value })),
        )
      : undefined
  const text = JSON.stringify({ batch_id: id, source, ...(content ? { datapoints: content } : { series }) })
  const isCompressed = i % 3 === 1
  return {
    id,
    source,
    body: isCompressed ? Uint8Array.from(gzipSync(text)) : text,
    headers: isCompressed ? { 'content-encoding': 'gzip' } : {},
    datapoints: buffer.reduce((sum, { points }) => sum + points.length, 0),
    twice: i % 7 === 2,
  }
}
