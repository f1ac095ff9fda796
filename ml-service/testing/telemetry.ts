import { featuresOfValues, type WindowFeatures } from '../../telemetry/window-features.ts'
import { seededRandom, WINDOW } from './synthetic.ts'

const DAY_MS = 86_400_000
const WINDOW_SECONDS = WINDOW / 1000

/** What a fault makes of the values of one window; `i` counts windows from the fault's beginning. */
export type Fault = (values: number[], i: number, random: () => number) => number[]

export interface TelemetryOptions {
  windows: number
  seed?: number
  /** Datapoints a second. */
  rate?: number
  /** Window in which the fault begins. */
  faultAt?: number
  fault?: Fault
}

/**
 * A temperature as a sensor tells it once a second: a daily wave of ±5 about 70, slow wandering, noise of 0.3, two
 * decimals. The values of each window; the same options give the same ones.
 */
export function sensorValues({
  windows,
  seed = 1,
  rate = 1,
}: Omit<TelemetryOptions, 'fault' | 'faultAt'>): number[][] {
  const random = seededRandom(seed)
  let wandering = 0
  return Array.from({ length: windows }, (_, i) => {
    wandering = 0.98 * wandering + 0.15 * normal(random)
    const centre = 70 + wandering + 5 * Math.sin((2 * Math.PI * i * WINDOW) / DAY_MS)
    const count = Math.round(WINDOW_SECONDS * rate)
    return Array.from({ length: count }, () => hundredths(centre + 0.3 * normal(random)))
  })
}

/** The windows of that sensor, with a fault in them. */
export function sensorWindows({
  faultAt = Number.POSITIVE_INFINITY,
  fault,
  ...sensor
}: TelemetryOptions): WindowFeatures[] {
  const random = seededRandom((sensor.seed ?? 1) + 1_000_000)
  return sensorValues(sensor).map((values, i) =>
    featuresOfValues(i * WINDOW, i >= faultAt && fault ? fault(values, i - faultAt, random) : values),
  )
}

/** Normal numbers by Box and Muller. */
export const normal = (random: () => number) =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())

const hundredths = (value: number) => Math.round(value * 100) / 100
