import type { WindowFeatures } from '../../telemetry/window-features.ts'
import type { Baseline, ViewName } from './baseline.ts'
import { calibrationSize, usualDistance } from './calibration.ts'
import { reasonOf } from './reason-of.ts'
import { type Reading, readingsOf } from './views.ts'

/** Windows before anything is scored: half a day at one window per 300 s. */
export const MIN_WINDOWS = 144

/** Distances a view must have seen before it has a say. */
const MIN_CALIBRATION = 96

/** A metric that never varied makes any change infinitely unusual; this is enough to say so. */
const MAX_SCORE = 100

/**
 * What a window beyond the limit teaches: at most 1.5 times the limit, so that a failure does not become
 * usual by its first windows, nor by its length without end; yet at least a fiftieth of what was seen, so
 * that a metric which starts to move after standing still is known within days.
 */
const LESSON_RATIO = 1.5
const LEAST_LESSON = 1 / 50

export interface Lesson {
  view: ViewName
  distance: number
}

export interface Judgement {
  state: 'learning' | 'ready'
  /** Severity: 1 or more is anomalous on every metric. 0 while learning. */
  score: number
  reasons: string[]
  /** The window medians that would have scored below 1; undefined while learning or where there are none. */
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
  const limited = readings.flatMap((reading) => limitedReading(baseline, reading))
  const ready = baseline.windows >= MIN_WINDOWS && limited.some(({ view }) => view === 'level')
  if (!ready)
    return {
      state: 'learning',
      score: 0,
      reasons: [],
      expected: undefined,
      lessons: readings.map(({ view, distance }) => ({ view, distance })),
    }
  return {
    state: 'ready',
    score: limited.reduce((most, { score }) => Math.max(most, score), 0),
    reasons: limited
      .filter(({ score }) => score >= 1)
      .sort((a, b) => b.score - a.score)
      .map(reasonOf),
    expected: expectedOf(limited),
    lessons: readings.map((reading) => lessonOf(baseline, reading)),
  }
}

function limitedReading({ calibrations }: Baseline, reading: Reading): LimitedReading[] {
  const calibration = calibrations[reading.view]
  const usual = usualDistance(calibration)
  if (usual === undefined || calibrationSize(calibration) < MIN_CALIBRATION) return []
  const limit = (usual + reading.margin) / reading.weight
  return [{ ...reading, limit, score: Math.min(MAX_SCORE, reading.distance / limit) }]
}

function lessonOf({ calibrations }: Baseline, { view, distance, margin }: Reading): Lesson {
  const usual = usualDistance(calibrations[view])
  if (usual === undefined) return { view, distance }
  const most = Math.max(LESSON_RATIO * (usual + margin), LEAST_LESSON * distance)
  return { view, distance: Math.min(distance, most) }
}

/** Where the level and the hour of day agree. */
function expectedOf(limited: LimitedReading[]): Judgement['expected'] {
  const levels = limited.filter(({ view }) => view === 'level' || view === 'hour')
  const low = Math.max(...levels.map(({ centre, limit }) => centre - limit))
  const high = Math.min(...levels.map(({ centre, limit }) => centre + limit))
  return low < high && Number.isFinite(high - low) ? { low, high } : undefined
}
