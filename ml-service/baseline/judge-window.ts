import { WINDOW_MS } from '../../telemetry/window.ts'
import type { WindowFeatures } from '../../telemetry/window-features.ts'
import type { Baseline } from './baseline.ts'
import { expectedRange } from './expected-range.ts'
import { type History, rounded } from './history.ts'
import { reasonsOf } from './reasons-of.ts'
import { type Reading, readingsOf, type ViewName } from './views.ts'

/** Windows, and time that they span, before anything is scored. */
export const MIN_WINDOWS = 40
const MIN_SPAN_MS = 12 * 3600_000

/** Distances a view must have seen before it has a say. */
const MIN_CALIBRATION = 36

/** As rare as once in this time, a distance is anomalous by itself. By time, so that a metric's cadence does not matter. */
const RARITY_MS = 12 * 3600_000

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
}

/** What `baseline` makes of the next window. Changes nothing. */
export function judgeWindow(baseline: Baseline, window: WindowFeatures): Judgement {
  const readings = readingsOf(baseline, window)
  const lessons = readings.map((reading) => lessonOf(baseline, reading))
  if (baseline.readyAfter === undefined) return learning(lessons)
  const rarity = Math.min(1, cadenceOf(baseline.histories.level) / RARITY_MS)
  const limited = readings.flatMap((reading) => limitedReading(baseline, reading, rarity))
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
  if (view === 'hour') return 1
  return Math.sqrt(histories[view === 'log' ? 'level' : view].size)
}

function limitedReading(baseline: Baseline, reading: Reading, rarity: number): LimitedReading[] {
  const calibration = baseline.calibrations[reading.view]
  if (calibration.size < MIN_CALIBRATION) return []
  const usual = calibration.limit(rarity)! / scaleOf(baseline, reading.view)
  const limit = (usual + reading.margin) / reading.weight
  return [{ ...reading, limit, score: Math.min(MAX_SCORE, reading.distance / limit) }]
}

const lessonOf = (baseline: Baseline, { view, novelty }: Reading): Lesson => ({
  view,
  distance: rounded(novelty * scaleOf(baseline, view)),
})

function directionOf(level: History, value: number): 'above' | 'below' | 'within' {
  if (value > level.sortedAt(level.known - 1)) return 'above'
  return value < level.sortedAt(0) ? 'below' : 'within'
}
