import { medianSorted } from '../../telemetry/median.ts'
import type { Baseline } from './baseline.ts'
import type { History } from './history.ts'
import { SMOOTHED, type ViewName } from './views.ts'

const HOUR_MS = 3_600_000

/** Steps that tell the noise: a day of 300 s windows. */
const STEPS = 288
/** Also steps over one and two windows in between, so that values that go to and fro are no noise. */
const LAGS = 3
/** Median size of a step between two normal values, in their standard deviation. */
const NORMAL_STEP = Math.SQRT2 * 0.6745

/** Normal noise is as far out as this once in half a million windows: less than that from the usual is nothing. */
const REACH = 4.75
/** A record that is ahead by less than this part of the noise is nothing. */
const LEAST_STEP = 0.75
/** By this power, so that what has left the noise soon counts in full. */
const STEEPNESS = 3

/** What noise alone makes of the usual, in one view of the level: up to `by` about any of the centres. */
export interface Quiet {
  centres: number[]
  by: number
}

const LEVEL_VIEWS = new Set<ViewName>(['level', 'log', 'smooth', 'hour'])

/** Undefined for a view that looks into windows. */
export const quietAbout = (view: ViewName, centres: number[], noise: number): Quiet | undefined =>
  LEVEL_VIEWS.has(view) ? { centres, by: REACH * noiseOf(view, noise) } : undefined

/** A mean of some windows has less noise than each. */
const noiseOf = (view: ViewName, noise: number) => (view === 'smooth' ? noise / Math.sqrt(SMOOTHED) : noise)

/** The least limit of a view, as it counts distances: on the logarithmic scale as the noise is in the metric's middle. */
export function leastLimit(view: ViewName, noise: number, level: History): number {
  if (view === 'level' || view === 'smooth') return LEAST_STEP * noiseOf(view, noise)
  return view === 'log' ? (LEAST_STEP * noise) / (1 + Math.abs(level.quantile(0.5)!)) : 0
}

/**
 * How far `value` is out of what noise makes of the usual: below 1 it is not. Infinite where there is no noise.
 */
export function beyondNoise(value: number, { centres, by }: Quiet): number {
  const strays = Math.min(...centres.map((centre) => Math.abs(value - centre)))
  return by > 0 ? (strays / by) ** STEEPNESS : Number.POSITIVE_INFINITY
}

/** An hour's noise, so that it is not measured for each of its windows. Stored nowhere: it follows from the levels. */
export interface HourlyNoise {
  hour: number
  noise: number
}

/** The noise of the windows' medians as of the hour in which `windowStart` lies: the same for all of its windows. */
export function noiseAt(baseline: Baseline, windowStart: number): number {
  const hour = Math.floor(windowStart / HOUR_MS)
  if (baseline.hourly?.hour !== hour) {
    baseline.hourly = { hour, noise: noiseBefore(baseline.histories.level, hour * HOUR_MS) }
  }
  return baseline.hourly.noise
}

/**
 * Standard deviation of what windows differ by from one to the next, where that is normal: by medians, which neither
 * the metric's course nor an event moves. 0 where most windows are as those before.
 */
function noiseBefore(level: History, time: number): number {
  let end = level.size
  while (end > 0 && level.startAt(end - 1)! >= time) end -= 1
  const count = Math.min(levels.length, end)
  for (let i = 0; i < count; i += 1) levels[i] = level.valueAt(end - count + i)
  let least = Number.POSITIVE_INFINITY
  for (let lag = 1; lag <= LAGS && lag < count; lag += 1) least = Math.min(least, medianStep(count, lag))
  return Number.isFinite(least) ? least / NORMAL_STEP : 0
}

const levels = new Float64Array(STEPS + LAGS)
const steps = new Float64Array(levels.length)

/** Of the first `count` of `levels`. */
function medianStep(count: number, lag: number): number {
  for (let i = lag; i < count; i += 1) steps[i - lag] = Math.abs(levels[i]! - levels[i - lag]!)
  return medianSorted(steps.subarray(0, count - lag).sort())
}
