import { WINDOW_MS } from '../../telemetry/window.ts'
import type { WindowFeatures } from '../../telemetry/window-features.ts'
import type { Baseline } from './baseline.ts'
import { expectedRange } from './expected-range.ts'
import { type History, rounded } from './history.ts'
import { beyondNoise, leastLimit, noiseAt, type Quiet, quietAbout } from './noise.ts'
import { reasonsOf } from './reasons-of.ts'
import { newsOf, type Usual, usualAt } from './season.ts'
import { endedRun, lessonOfRun } from './standstill.ts'
import { type Reading, readingsOf, type ViewName } from './views.ts'

/** Windows, and time that they span, before anything is scored. */
export const MIN_WINDOWS = 40
const MIN_SPAN_MS = 12 * 3600_000

/** Distances a view must have seen before it has a say. */
const MIN_CALIBRATION = 36

/** As rare as once in this time, a distance is anomalous by itself. By time, so that a metric's cadence does not matter. */
const RARITY_MS = 12 * 3600_000

/** How much wider limits are when a day is known; the longer, the less. */
const YOUTH = 0.6
const DAY_MS = 24 * 3600_000

/** What the hour of day counts where it foretells a metric: the limit of straying from it is this part of the quartiles. */
const FORETOLD = 0.15
const PROVED_WEIGHT = 0.6
const PROVED_WINDOWS = 2016

/** Keeps limits finite where an event is exactly what came before. */
const LEAST_NEWS = 1e-3

/** Steps between windows that tell the usual one. */
const STEPS = 31

/** A metric that never varied makes any change infinitely unusual; this is enough to say so. */
const MAX_SCORE = 100

export interface Lesson {
  view: ViewName
  distance: number
}

export interface Judgement {
  state: 'learning' | 'ready'
  /** Severity: 1 or more is anomalous on every metric. 0 while learning. */
  score: number
  /** The same against everything seen, also what is held back: how new the window is. */
  novelty: number
  /** Which way the window's median lies from what is known; undefined where its score is below 1. */
  direction: 'above' | 'below' | 'within' | undefined
  reasons: string[]
  /** The window medians about the nearest known one that would have scored below 1; undefined while learning. */
  expected: { low: number; high: number } | undefined
  /** What the window teaches the calibrations. */
  lessons: Lesson[]
}

/** A reading with the distance at which it becomes anomalous. */
export interface LimitedReading extends Reading {
  limit: number
  score: number
  /** Of a view of the level, where an hour is known: what is nothing but noise. */
  quiet: Quiet | undefined
}

/** What `baseline` makes of the next window. Changes nothing. */
export function judgeWindow(baseline: Baseline, window: WindowFeatures): Judgement {
  const readings = readingsOf(baseline, window)
  const lessons = readings.flatMap((reading) => lessonOf(baseline, reading) ?? [])
  if (baseline.readyAfter === undefined) return learning(lessons)
  const { windowStart } = window
  const context = contextOf(baseline, windowStart, readings)
  const limited = readings.flatMap((reading) => {
    const limited = limitedReading(baseline, reading, context)
    return limited ? [exceptNoise(baseline, exceptReturns(baseline, limited, windowStart), windowStart)] : []
  })
  let score = 0
  let novelty = 0
  for (const reading of limited) {
    score = Math.max(score, reading.score)
    novelty = Math.max(novelty, Math.min(MAX_SCORE, reading.novelty / reading.limit))
  }
  const isAnomalous = score >= 1
  return {
    ...{ state: 'ready', score, novelty, lessons },
    direction: isAnomalous ? directionOf(baseline.histories.level, rounded(window.median)) : undefined,
    reasons: isAnomalous ? reasonsOf(baseline, window, limited) : [],
    expected: expectedRange(baseline, window, limited),
  }
}

const learning = (lessons: Lesson[]): Judgement => ({
  ...{ state: 'learning', score: 0, novelty: 0, direction: undefined, expected: undefined, lessons },
  reasons: [],
})

/** When scoring begins if windows keep coming as they do: epoch ms, in the past where it has begun. */
export function readyAt({ windows, histories: { level }, learnedUntil }: Baseline): number {
  const first = level.startAt(0)
  if (first === undefined || learnedUntil === undefined) return Number.POSITIVE_INFINITY
  const missing = Math.max(0, MIN_WINDOWS - windows)
  return Math.max(first + MIN_SPAN_MS, learnedUntil + missing * cadenceOf(level))
}

/** The usual time from one window that holds data to the next: the median of the last steps. */
export function cadenceOf(level: History): number {
  const count = Math.min(STEPS, level.size - 1)
  if (count < 1) return WINDOW_MS
  const span = level.startAt(level.size - 1)! - level.startAt(level.size - 1 - count)!
  if (span === count * WINDOW_MS) return WINDOW_MS // no window is missing
  const steps = new Float64Array(count)
  for (let i = 0; i < count; i += 1) {
    const at = level.size - 1 - i
    steps[i] = level.startAt(at)! - level.startAt(at - 1)!
  }
  return steps.sort()[count >> 1]!
}

/**
 * Distances from the nearest value shrink as more values are known, about by the root of their number: a lesson is a
 * distance as it would be with one.
 */
function scaleOf({ histories }: Baseline, view: ViewName): number {
  if (view === 'hour' || view === 'still') return 1
  return Math.sqrt(histories[view === 'log' ? 'level' : view].size)
}

/** What the limits of all views of a window depend on. */
interface Context {
  rarity: number
  youth: number
  noise: number
  usual: Usual | undefined
}

function contextOf(baseline: Baseline, windowStart: number, readings: Reading[]): Context {
  const { level } = baseline.histories
  return {
    rarity: Math.min(1, cadenceOf(level) / RARITY_MS),
    youth: youthOf(level),
    noise: noiseAt(baseline, windowStart),
    usual: readings.find(({ usual }) => usual)?.usual,
  }
}

function limitedReading(
  baseline: Baseline,
  reading: Reading,
  { rarity, youth, noise, usual }: Context,
): LimitedReading | undefined {
  const { view, margin, distance } = reading
  const calibration = baseline.calibrations[view]
  if (calibration.size < MIN_CALIBRATION) return undefined
  // Standstills are few and no two alike: there is no tail to fit.
  const largest = view === 'still' ? calibration.largest : calibration.limit(rarity)!
  const known = largest / scaleOf(baseline, view) + margin
  const limit =
    youth *
    Math.max(leastLimit(view, noise, baseline.histories.level), known / weightOf(baseline, reading, known))
  const score = Math.min(MAX_SCORE, distance / limit)
  return { ...reading, limit, score, quiet: usual && quietAbout(view, usual.centres, noise) }
}

/** A few days understate what a metric comes to: how much wider its limits are for now. */
function youthOf(level: History): number {
  const ageMs = level.startAt(level.size - 1)! - level.startAt(0)!
  return 1 + (YOUTH * DAY_MS) / ageMs
}

/**
 * The hour of day has the more to say the less the metric strays from what is usual at it, measured by the metric's
 * quartiles, and the longer that has been so.
 */
function weightOf(
  { histories: { level }, calibrations }: Baseline,
  { view, weight }: Reading,
  usual: number,
) {
  if (view !== 'hour') return weight
  const body = level.quantile(0.75)! - level.quantile(0.25)!
  const proved = PROVED_WEIGHT * Math.min(1, calibrations.hour.size / PROVED_WINDOWS)
  return Math.max(weight, Math.min(proved, (FORETOLD * body) / usual))
}

/** What comes back at its hour is anomalous only as far as it is news. */
function exceptReturns(
  { histories }: Baseline,
  reading: LimitedReading,
  windowStart: number,
): LimitedReading {
  const { view, value, distance, novelty, limit } = reading
  const excess = Math.max(distance, novelty) / limit
  if (excess < 1 || view === 'still') return reading
  const news = newsOf(histories[view === 'log' || view === 'hour' ? 'level' : view], value, windowStart)
  if (news >= excess) return reading
  if (news >= 1) return damped(reading, news / excess)
  const raised = (limit * excess) / Math.max(news, LEAST_NEWS)
  return { ...reading, limit: raised, score: distance / raised }
}

/** A part of the score, by the same limit: that holds about other values than this one, too. */
const damped = (reading: LimitedReading, part: number): LimitedReading => ({
  ...reading,
  score: part * reading.score,
  novelty: part * reading.novelty,
})

/** What noise makes of the usual is no anomaly. */
function exceptNoise({ histories }: Baseline, reading: LimitedReading, windowStart: number): LimitedReading {
  const { distance, novelty, limit } = reading
  const excess = Math.max(distance, novelty) / limit
  if (excess < 1) return reading
  const most = beyondUsual(histories, reading, windowStart)
  return most >= excess ? reading : damped(reading, most / excess)
}

function beyondUsual(
  { smooth }: Baseline['histories'],
  { view, value, quiet }: LimitedReading,
  windowStart: number,
): number {
  if (quiet === undefined) return Number.POSITIVE_INFINITY
  // A mean over a step, as from a Sunday to a Monday, is at no level, but comes at its hour.
  const means = view === 'smooth' ? (usualAt(smooth, windowStart)?.centres ?? []) : []
  return beyondNoise(value, { ...quiet, centres: [...quiet.centres, ...means] })
}

/** A standstill teaches how long it was when it has ended; undefined while it lasts. */
function lessonOf(baseline: Baseline, { view, value, novelty }: Reading): Lesson | undefined {
  if (view !== 'still') return { view, distance: rounded(novelty * scaleOf(baseline, view)) }
  const run = endedRun(baseline.histories.level, value)
  return run === undefined ? undefined : { view, distance: rounded(lessonOfRun(run)) }
}

function directionOf(level: History, value: number): 'above' | 'below' | 'within' {
  if (value > level.sortedAt(level.known - 1)) return 'above'
  return value < level.sortedAt(0) ? 'below' : 'within'
}
