import type { BatchRows } from './batch-rows.ts'
import type { Columns } from './columns.ts'
import { WINDOW_MS, windowStartOf } from './window.ts'

/** Of one transaction's HTTP body. Neon's proxy takes 10 MiB; half of that keeps a transaction short as well. */
export const MAX_TRANSACTION_BYTES = 5 * 1024 * 1024

/** Index of the metric, timestamp, value and version of a datapoint, as digits with their commas, at most. */
const DATAPOINT_BYTES = 6 + 17 + 25 + 17
/** Index of the metric and start of each window that datapoints are of. */
const WINDOW_BYTES = 6 + 17
const UUID_BYTES = 37
/** The metric's id, once with the datapoints and once with their windows. */
const SERIES_BYTES = 2 * UUID_BYTES
const INSTANT_BYTES = 17
const BATCH_BYTES = 500

/** Rows `from` to `to` (exclusive) of one kind. */
export interface Slice {
  from: number
  to: number
}

/** Which of the rows one transaction stores. */
export type Portion = Record<'devices' | 'metrics' | 'datapoints', Slice>

/**
 * Divides rows into transactions of bounded size, in the order of their references: devices, metrics, datapoints.
 * At most some 80,000 datapoints fit one.
 */
export function portionsOf(rows: BatchRows, maxBytes = MAX_TRANSACTION_BYTES): Portion[] {
  const portions = [emptyPortion()]
  let bytes = 0
  const add = (kind: keyof Portion, count: number, bytesOf: (i: number) => number) => {
    for (let i = 0; i < count; i += 1) {
      const more = bytesOf(i)
      if (bytes > 0 && bytes + more > maxBytes) {
        portions.push(emptyPortion())
        bytes = 0
      }
      bytes += more
      const slice = portions.at(-1)![kind]
      if (slice.to === 0) slice.from = i
      slice.to = i + 1
    }
  }
  const { devices, metrics, datapoints } = rows
  add('devices', devices.id.length, (i) => deviceBytes(devices.externalId[i]!))
  add('metrics', metrics.id.length, (i) => {
    const { last, previous } = metrics.unit[i] ?? {}
    return metricBytes(metrics.name[i]!, last?.unit, previous?.unit)
  })
  add('datapoints', datapoints.ts.length, (i) => {
    if (datapoints.metric[i] !== datapoints.metric[i - 1])
      return DATAPOINT_BYTES + SERIES_BYTES + WINDOW_BYTES
    const isSameWindow = windowStartOf(datapoints.ts[i]!) === windowStartOf(datapoints.ts[i - 1]!)
    return isSameWindow ? DATAPOINT_BYTES : DATAPOINT_BYTES + WINDOW_BYTES
  })
  return portions
}

/** What a batch can add to the body of a transaction, at most. O(series). */
export function batchBytes({ series, offsets, ts }: Columns): number {
  let bytes = BATCH_BYTES + ts.length * DATAPOINT_BYTES
  series.forEach(({ device, metric, unit }, s) => {
    const [first, last] = [offsets[s]!, offsets[s + 1]! - 1]
    const span = (windowStartOf(ts[last]!) - windowStartOf(ts[first]!)) / WINDOW_MS
    const windows = Math.min(span, last - first) + 1
    bytes += deviceBytes(device) + metricBytes(metric, unit ?? '') + SERIES_BYTES + windows * WINDOW_BYTES
  })
  return bytes
}

const deviceBytes = (name: string) => UUID_BYTES + textBytes(name) + INSTANT_BYTES

const metricBytes = (name: string, unit = '', previousUnit = '') =>
  2 * UUID_BYTES + textBytes(name) + textBytes(unit) + textBytes(previousUnit) + 4 * INSTANT_BYTES

/** Quotes and backslashes are escaped twice: by the text form of an array, and by the JSON around it. */
const textBytes = (text: string) => Buffer.byteLength(JSON.stringify(JSON.stringify(text))) + 1

const emptyPortion = (): Portion => ({
  devices: { from: 0, to: 0 },
  metrics: { from: 0, to: 0 },
  datapoints: { from: 0, to: 0 },
})
