import { seededRandom } from '../telemetry/random.ts'

/**
 * How a batch says its datapoints. `datapoints-iso` is `datapoints` with ISO 8601 timestamps, `series-unrounded` is
 * `series` with all the digits that a program prints of a double it has computed.
 */
export type Shape = 'series' | 'series-unrounded' | 'datapoints' | 'datapoints-iso'

export interface BatchPlan {
  shape: Shape
  series: number
  /** Of each series, a second apart. */
  points: number
  /** Which devices: batches of one gateway name the same series. */
  gateway?: number
  batchId?: string
}

const METRICS_A_DEVICE = 5
const METRICS = ['temperature', 'pressure', 'vibration', 'current', 'flow'] as const

const deviceOf = (series: number, gateway: number) =>
  `pump-${gateway}-${Math.floor(series / METRICS_A_DEVICE)}`
const metricOf = (series: number) => METRICS[series % METRICS_A_DEVICE]

/**
 * The JSON text of a batch whose first datapoint is at `start`: values of two decimals that wander, as sensors'
 * do. The datapoints shape goes through time, and at each second through the series, as a gateway reads them.
 */
export function batchText({ shape, series, points, gateway = 0, batchId }: BatchPlan, start: number): string {
  const random = seededRandom(start + gateway)
  const values = Array.from({ length: series }, () => 20 + 60 * random())
  const next = (s: number) => {
    values[s] = values[s]! + random() - 0.5
    return shape === 'series-unrounded' ? values[s]! : Math.round(values[s]! * 100) / 100
  }
  const names = Array.from({ length: series }, (_, s) => ({
    ...{ device: deviceOf(s, gateway), metric: metricOf(s), unit: 'C' },
  }))
  const seconds = Array.from({ length: points }, (_, i) => start + i * 1000)
  const id = batchId === undefined ? {} : { batch_id: batchId }
  if (shape.startsWith('series')) {
    const list = names.map((name, s) => ({ ...name, points: seconds.map((ts) => [ts, next(s)]) }))
    return JSON.stringify({ ...id, series: list })
  }
  const written = (ts: number) => (shape === 'datapoints' ? ts : new Date(ts).toISOString())
  const datapoints = seconds.flatMap((ts) =>
    names.map(({ device, metric, unit }, s) => ({ device, metric, ts: written(ts), value: next(s), unit })),
  )
  return JSON.stringify({ ...id, datapoints })
}
