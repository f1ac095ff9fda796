import { medianSorted } from '../../telemetry/median.ts'
import type { History } from './history.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const SEASON_DAYS = 7
/** The same time of day means within ten minutes. */
const SEASON_SLACK_MS = 600_000
/** Same-hour values that make a centre: fewer than three days say nothing of a daily rhythm. */
const MIN_SEASON_VALUES = 3
const MIN_SEASON_DAYS = 3

/** Days back to the same weekday. */
const WEEKS = [7, 14, 21]
/** What comes back comes on so many of the last seven days and of the same weekdays before them. */
const MIN_RETURNS = 3
const RETURN_DAYS = [1, 2, 3, 4, 5, 6, ...WEEKS]
/** It may come an hour sooner or later: so a job keeps its time over a change of the clock. */
const RETURN_SLACK_MS = HOUR_MS
/** How many times its known part the new part of an event counts: it is news from a quarter of its height on. */
const NEWS_WEIGHT = 3

/** A window each 300 s within the slack, of seven days, and of a return. */
const scratch = new Float32Array(SEASON_DAYS * 5)
const returning = new Float32Array((2 * RETURN_SLACK_MS) / 300_000 + 1)

/** What is usual at a time of day: one or more levels, and what they lie between. */
export interface Usual {
  centres: number[]
  low: number
  high: number
}

/**
 * What is usual at this time of day: the medians of the last seven days, and what the same weekdays had. Also those of an
 * hour before and an hour after, so that a clock that is put on or back by an hour is no anomaly. Undefined before there
 * are enough days.
 */
export function usualAt(level: History, windowStart: number): Usual | undefined {
  if (windowStart - level.startAt(0)! < MIN_SEASON_DAYS * DAY_MS) return undefined
  const centres: number[] = []
  const include = (centre: number | undefined) => centre !== undefined && centres.push(centre)
  for (let hour = -1; hour <= 1; hour += 1) {
    const time = windowStart + hour * HOUR_MS
    include(sameHourCentre(level, time))
    for (const days of WEEKS) include(medianAbout(level, time - days * DAY_MS))
  }
  if (centres.length === 0) return undefined
  return { centres, low: Math.min(...centres), high: Math.max(...centres) }
}

/** Median of the windows at the same time of day on the last 7 days; undefined without enough of them. */
function sameHourCentre(history: History, time: number): number | undefined {
  let found = 0
  for (let day = SEASON_DAYS; day >= 1; day -= 1) {
    const centre = time - day * DAY_MS
    found = history.collect(centre - SEASON_SLACK_MS, centre + SEASON_SLACK_MS, scratch, found)
  }
  return found < MIN_SEASON_VALUES ? undefined : medianOfScratch(found)
}

function medianAbout(history: History, time: number): number | undefined {
  const found = history.collect(time - SEASON_SLACK_MS, time + SEASON_SLACK_MS, scratch, 0)
  return found === 0 ? undefined : medianOfScratch(found)
}

/** By insertion: for so few values the runtime's own sort costs more to call than to do. */
function medianOfScratch(count: number): number {
  for (let i = 1; i < count; i += 1) {
    const value = scratch[i]!
    let at = i
    for (; at > 0 && scratch[at - 1]! > value; at -= 1) scratch[at] = scratch[at - 1]!
    scratch[at] = value
  }
  return medianSorted(scratch.subarray(0, count))
}

/**
 * How much of an event is news, where about the same has come at about this time before, as a nightly job's load does:
 * the part of its height that was not reached then, against the part that was. 1 or more is an anomaly; infinite where
 * nothing like it has come often enough.
 */
export function newsOf(history: History, value: number, windowStart: number): number {
  const missed = RETURN_DAYS.map((days) => nearestAbout(history, value, windowStart - days * DAY_MS))
  const fresh = missed.sort((a, b) => a - b)[MIN_RETURNS - 1]!
  const known = heightOf(history, value, windowStart) - fresh
  return known > 0 ? (NEWS_WEIGHT * fresh) / known : Number.POSITIVE_INFINITY
}

/** Over what is usual now, an hour before or an hour after: in its mean, a job is usual at its own hour. */
function heightOf(history: History, value: number, windowStart: number): number {
  let height = 0
  for (let hour = -1; hour <= 1; hour += 1) {
    const usual = sameHourCentre(history, windowStart + hour * HOUR_MS)
    if (usual !== undefined) height = Math.max(height, Math.abs(value - usual))
  }
  return height
}

/** Distance from `value` to the nearest that came about `time`; infinite where none did. */
function nearestAbout(history: History, value: number, time: number): number {
  const found = history.collect(time - RETURN_SLACK_MS, time + RETURN_SLACK_MS, returning, 0)
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < found; i += 1) least = Math.min(least, Math.abs(returning[i]! - value))
  return least
}
