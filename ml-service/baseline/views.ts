import { medianSorted } from '../../telemetry/median.ts'
import type { WindowFeatures } from '../../telemetry/window-features.ts'
import type { Baseline, ShapeName, ViewName } from './baseline.ts'
import type { History } from './history.ts'

/** Windows before distances are worth measuring: fewer know neither a centre nor a spread. */
const MIN_HISTORY = 48

const DAY_MS = 86_400_000
const SEASON_DAYS = 7
/** The same time of day means within a quarter of an hour. */
const SEASON_SLACK_MS = 900_000
/** Same-hour values that make a centre: fewer than three days say nothing of a daily rhythm. */
const MIN_SEASON_VALUES = 3
const MIN_SEASON_DAYS = 3

/** Part of the usual spread that a distance may add to the largest usual one. */
const SPREAD_MARGIN = 0.1

/** Within-window features are compared as ratios; a change by a fifth is never unusual. */
const RATIO_MARGIN = Math.log(1.2)

/** How far a window lies from the metric's past in one view of it. */
export interface Reading {
  view: ViewName
  value: number
  centre: number
  /** Finite and not negative; in the metric's unit for level and hour, a log ratio for the others. */
  distance: number
  /** What is added to the largest usual distance; positive. */
  margin: number
  weight: number
}

/** The readings that the history allows; none while it is too short. */
export function readingsOf(baseline: Baseline, window: WindowFeatures): Reading[] {
  if (baseline.level.size < MIN_HISTORY) return []
  const { level } = baseline
  const centre = level.quantile(0.5)!
  const spread = level.quantile(0.99)! - level.quantile(0.01)!
  const margin = SPREAD_MARGIN * spread || resolution(centre)
  const readings = [levelReading('level', window.median, centre, margin)]
  const sameHour = sameHourCentre(level, window.windowStart)
  if (sameHour !== undefined) readings.push(levelReading('hour', window.median, sameHour, margin))
  readings.push(...shapeReadings(baseline, window, spread || resolution(centre)))
  return readings.filter((reading) => Number.isFinite(reading.distance) && Number.isFinite(reading.margin))
}

const levelReading = (view: ViewName, value: number, centre: number, margin: number): Reading => ({
  view,
  value,
  centre,
  distance: Math.abs(value - centre),
  margin,
  weight: 1,
})

/** A metric that never varied tells no scale of its own: a thousandth of its value stands in. */
const resolution = (centre: number) => Math.abs(centre) * 1e-3 || 1e-9

/** Median of the windows at the same time of day on the last 7 days; undefined without enough of them. */
function sameHourCentre(level: History, windowStart: number): number | undefined {
  if (windowStart - level.oldestStart! < MIN_SEASON_DAYS * DAY_MS) return undefined
  const values: number[] = []
  for (let day = SEASON_DAYS; day >= 1; day -= 1) {
    const centre = windowStart - day * DAY_MS
    level.collect(centre - SEASON_SLACK_MS, centre + SEASON_SLACK_MS, values)
  }
  if (values.length < MIN_SEASON_VALUES) return undefined
  return medianSorted(values.sort((a, b) => a - b))
}

/** Spread and number of the datapoints within the window, for metrics with several a window. */
function shapeReadings({ shape }: Baseline, window: WindowFeatures, levelSpread: number): Reading[] {
  const usualCount = shape.count.quantile(0.5)
  if (usualCount === undefined || usualCount < 2) return []
  const readings = [ratioReading('count', window.count, shape.count, 1)]
  if (window.count < 2 || shape.std.size < MIN_HISTORY) return readings
  for (const view of ['std', 'range'] as const) {
    const floor = Math.max(0.1 * shape[view].quantile(0.5)!, 0.01 * levelSpread)
    readings.push(ratioReading(view, window[view], shape[view], floor))
  }
  return readings
}

/** `floor` keeps the ratio finite where a feature may be 0, and small absolute changes small. */
function ratioReading(view: ShapeName, value: number, history: History, floor: number): Reading {
  const ratio = (a: number, b: number) => Math.abs(Math.log((a + floor) / (b + floor)))
  const centre = history.quantile(0.5)!
  const spread = ratio(history.quantile(0.99)!, history.quantile(0.01)!)
  return {
    view,
    value,
    centre,
    distance: ratio(value, centre),
    margin: SPREAD_MARGIN * spread + RATIO_MARGIN,
    weight: 0.5,
  }
}
