import type { WindowFeatures } from '../../telemetry/window-features.ts'
import type { Baseline } from './baseline.ts'
import { type History, rounded } from './history.ts'
import { type Usual, usualAt } from './season.ts'
import { runOf, STILL_MARGIN } from './standstill.ts'

/** How a metric is looked at. The first five look at the windows' medians, the others into the windows. */
export const VIEWS = ['level', 'log', 'smooth', 'hour', 'still', 'std', 'range', 'count'] as const
export type ViewName = (typeof VIEWS)[number]

/** Views that hold a history of their own. */
export const HISTORIES = ['level', 'smooth', 'std', 'range', 'count'] as const
export type HistoryName = (typeof HISTORIES)[number]

/** How much a view says: what is smooth most, the hour of day least, until it has proved to foretell the metric. */
const WEIGHTS: Record<ViewName, number> = {
  level: 0.7,
  log: 0.7,
  smooth: 1,
  hour: 0.3,
  still: 1,
  std: 0.5,
  range: 0.5,
  count: 0.5,
}

/** Windows in a smooth value. */
export const SMOOTHED = 3

/** Part of the usual spread that is added to every limit. */
const SPREAD_MARGIN = 0.01

/** Within-window features are compared as logarithms; a change by a fifth is never unusual. */
const RATIO_MARGIN = Math.log(1.2)

/**
 * The chance that n normal values scatter by less than a small part of the usual falls by its n - 1st power: the logarithm of a
 * new least is ahead of the last by 1 / (n - 1) on average. This many times that is a matter of chance.
 */
const CHANCE = 2

/** A window that stands still is as far from others as one of a thousandth of their spread. */
const MAX_RATIO = Math.log(1000)

/** Steps of logarithms: 1.6 %, so that histories of them store small. */
const LOG_STEPS = 64

/** How far a window lies from the metric's past in one view of it. */
export interface Reading {
  view: ViewName
  /** As the view's history would hold it; for the hour and the standstill the window's median. */
  value: number
  /** What it is compared with: the nearest known value, or the nearest usual one at this hour. */
  nearest: number
  /** Distance from what is known. */
  distance: number
  /** Distance from everything seen, also from what is held apart: at most `distance`. Finite, not negative. */
  novelty: number
  /** What is added to the largest usual distance; positive. */
  margin: number
  weight: number
  /** Of the hour view. */
  usual?: Usual
}

/** The values a window adds to the histories. */
export function valuesOf({ histories: { level } }: Baseline, window: WindowFeatures) {
  const value = rounded(window.median)
  const values: Partial<Record<HistoryName, number>> = {
    level: value,
    smooth: smoothed(level, level.size, value),
    count: logOf(window.count, 0),
  }
  // A single datapoint has no spread.
  if (window.count > 1) {
    const resolution = Math.max(Math.abs(window.max), Math.abs(window.min)) * 1e-9
    values.std = logOf(window.std, resolution)
    values.range = logOf(window.range, resolution)
  }
  return values
}

/** Mean of `value` and the windows before position `i` in the history, SMOOTHED in all where there are so many. */
export function smoothed(level: History, i: number, value: number): number {
  const first = Math.max(0, i - SMOOTHED + 1)
  const count = i - first + 1
  let mean = value / count
  for (let k = first; k < i; k += 1) mean += level.valueAt(k) / count
  return rounded(mean)
}

/** A logarithm in LOG_STEPS; what is below `resolution` is nothing but the noise of computing. */
function logOf(value: number, resolution: number): number {
  const least = Math.log(Number.MIN_VALUE)
  const log = value > resolution ? Math.log(Math.min(value, Number.MAX_VALUE)) : least
  return Math.round(log * LOG_STEPS) / LOG_STEPS
}

/** The readings that the history allows. */
export function readingsOf(baseline: Baseline, window: WindowFeatures): Reading[] {
  const { histories } = baseline
  const values = valuesOf(baseline, window)
  const level = noveltyOf('level', histories.level, values.level!)
  if (level === undefined) return []
  const readings = [level, logReading(level, histories.level)]
  const smooth = smoothReading(baseline, values.smooth!, values.level!)
  if (smooth) readings.push(smooth)
  const hour = hourReading(level, histories.level, window.windowStart)
  if (hour) readings.push(hour)
  // A metric of one datapoint a window has no shape, and how many there are is its cadence.
  if ((histories.count.quantile(0.5) ?? 0) === 0) readings.push(stillReading(level, histories.level))
  else {
    for (const view of ['std', 'range', 'count'] as const) {
      const value = values[view]
      const reading = value === undefined ? undefined : noveltyOf(view, histories[view], value)
      if (reading) readings.push(asRatio(reading, window.count))
    }
  }
  return readings
}

function noveltyOf(view: HistoryName, history: History, value: number): Reading | undefined {
  const at = history.nearest(value)
  if (at === undefined) return undefined
  const nearest = history.sortedAt(at)
  const distance = Math.abs(value - nearest)
  const spread = history.quantile(0.99)! - history.quantile(0.01)!
  return {
    ...{ view, value, nearest, distance },
    novelty: Math.min(distance, history.heldDistance(value)),
    margin: SPREAD_MARGIN * spread || resolutionOf(nearest),
    weight: WEIGHTS[view],
  }
}

/** After an anomalous window its mean with the next ones is none by itself: the new window must be as far off. */
function smoothReading({ histories, held }: Baseline, smooth: number, level: number): Reading | undefined {
  const reading = noveltyOf('smooth', histories.smooth, smooth)
  const first = histories.level.startAt(histories.level.size - SMOOTHED + 1)
  if (reading === undefined || first === undefined || (held[held.length - 1] ?? -1) < first) return reading
  const own = noveltyOf('smooth', histories.smooth, level)!
  const distance = Math.min(reading.distance, own.distance)
  return { ...reading, distance, novelty: Math.min(reading.novelty, distance) }
}

/** A metric that never varied tells no scale of its own: a thousandth of its value stands in. */
const resolutionOf = (value: number) => Math.abs(value) * 1e-3 || 1e-9

/** Of either sign, and linear about 0. */
export const signedLog = (value: number) => Math.sign(value) * Math.log1p(Math.abs(value))

/** The level again, on a scale on which a small value that is far too small shows. */
function logReading({ value, nearest, novelty, distance, margin }: Reading, level: History): Reading {
  const logDistance = Math.abs(signedLog(value) - signedLog(nearest))
  const spread = signedLog(level.quantile(0.99)!) - signedLog(level.quantile(0.01)!)
  return {
    ...{ view: 'log', value, nearest, distance: logDistance },
    // The held value nearest on one scale is about the nearest on the other.
    novelty: distance > 0 ? (logDistance * novelty) / distance : 0,
    margin: SPREAD_MARGIN * spread || margin / (1 + Math.abs(nearest)),
    weight: WEIGHTS.log,
  }
}

function hourReading({ value, margin }: Reading, level: History, windowStart: number): Reading | undefined {
  const usual = usualAt(level, windowStart)
  if (usual === undefined) return undefined
  const nearest = Math.max(usual.low, Math.min(usual.high, value))
  const distance = Math.abs(value - nearest)
  return { view: 'hour', value, nearest, distance, novelty: distance, margin, weight: WEIGHTS.hour, usual }
}

/** Nothing within the window tells that a sensor stands still: the windows with the same median do. */
function stillReading({ value }: Reading, level: History): Reading {
  const distance = Math.log(runOf(level, value))
  return {
    ...{ view: 'still', value, nearest: value, distance, novelty: distance },
    ...{ margin: STILL_MARGIN, weight: WEIGHTS.still },
  }
}

/** The scatter of a few values is small by chance now and then, the sooner the fewer: it must be smaller by so much more. */
function asRatio(reading: Reading, count: number): Reading {
  const { view, value, nearest, distance, novelty, margin } = reading
  const byChance = view !== 'count' && value < nearest ? CHANCE / (count - 1) : 0
  return {
    ...reading,
    distance: Math.min(MAX_RATIO, distance),
    novelty: Math.min(MAX_RATIO, novelty),
    margin: margin + RATIO_MARGIN + byChance,
  }
}
