import { medianSorted } from '../../telemetry/median.ts'
import type { Baseline } from './baseline.ts'
import type { History } from './history.ts'
import { SMOOTHED, type ViewName } from './views.ts'

/** Noise is measured anew as often, by the clock. */
const MEASURED_EVERY_MS = 6 * 3_600_000

/**
 * What a window showed teaches the noise a day later, as it becomes known: an erratic failure is not taken for noise while
 * it lasts.
 */
const OLD_MS = 24 * 3_600_000
/** Steps that tell the noise: a day of 300 s windows. */
const STEPS = 288
/** Also steps over one and two windows in between, so that values that go to and fro are no noise. */
const LAGS = 3
/** And steps over a whole cycle, where they are so much smaller than those: a cycle is no noise. */
const CYCLE_LAGS = 72
/** A step over a cycle tells little where hardly any were seen. */
const MIN_CYCLES = 3
const CYCLE_GAIN = 0.7
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

/** The noise as of a time, so that it is not measured for each window. Stored nowhere: it follows from the levels. */
export interface MeasuredNoise {
  asOf: number
  noise: number
}

/** The noise of the windows' medians as of the quarter of a day in which `windowStart` lies: the same for all of its windows. */
export function noiseAt(baseline: Baseline, windowStart: number): number {
  const asOf = windowStart - (windowStart % MEASURED_EVERY_MS)
  if (baseline.measured?.asOf !== asOf) {
    baseline.measured = { asOf, noise: noiseBefore(baseline.histories.level, asOf - OLD_MS) }
  }
  return baseline.measured.noise
}

/**
 * Standard deviation of what windows differ by from one to the next, where that is normal: by medians, which events do
 * not move. 0 where most windows are as those before, and while little is known. O(1): of the last days alone.
 */
function noiseBefore(level: History, time: number): number {
  let end = level.size
  while (end > 0 && level.startAt(end - 1)! >= time) end -= 1
  const count = Math.min(levels.length, end)
  if (count <= LAGS) return 0
  for (let i = 0; i < count; i += 1) levels[i] = level.valueAt(end - count + i)
  let least = Number.POSITIVE_INFINITY
  for (let lag = 1; lag <= LAGS; lag += 1) least = Math.min(least, medianStep(count, lag))
  let ofCycle = CYCLE_GAIN * least
  for (let lag = LAGS + 1; lag <= Math.min(CYCLE_LAGS, count / MIN_CYCLES); lag += 1) {
    if (mostAreBelow(ofCycle, count, lag)) ofCycle = medianStep(count, lag)
  }
  return (ofCycle < CYCLE_GAIN * least ? ofCycle : least) / NORMAL_STEP
}

const levels = new Float64Array(STEPS + CYCLE_LAGS)
const steps = new Float64Array(levels.length)

const stepAt = (i: number, lag: number) => Math.abs(levels[i]! - levels[i - lag]!)

/** Of the first `count` of `levels`. */
function medianStep(count: number, lag: number): number {
  for (let i = lag; i < count; i += 1) steps[i - lag] = stepAt(i, lag)
  return medianSorted(steps.subarray(0, count - lag).sort())
}

/** Whether the median of the steps is below `limit`: spares sorting those of most lags. */
function mostAreBelow(limit: number, count: number, lag: number): boolean {
  let below = 0
  for (let i = lag; i < count; i += 1) if (stepAt(i, lag) < limit) below += 1
  return 2 * below > count - lag
}
