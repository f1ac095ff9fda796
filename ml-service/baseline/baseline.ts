import type { WindowFeatures } from '../../telemetry/window-features.ts'
import { addDistance, type Calibration, emptyCalibration } from './calibration.ts'
import { History } from './history.ts'
import { type Judgement, judgeWindow, type Lesson } from './judge-window.ts'

/** 4 weeks of window medians; the within-window features are kept for one. */
export const LEVEL_CAPACITY = 8064
export const SHAPE_CAPACITY = 2016

/** An onset must exceed this many times everything in the last 12 hours. */
const ONSET_RATIO = 1.5
const ONSET_MS = 12 * 3600_000

/** What is learned of distances counts only a day later: a failure that builds up must not excuse itself. */
const LESSON_DELAY_MS = 24 * 3600_000

export const VIEWS = ['level', 'hour', 'std', 'range', 'count'] as const
export type ViewName = (typeof VIEWS)[number]
export type ShapeName = 'std' | 'range' | 'count'

/** Everything that is known of one metric: bounded, and a pure function of the windows learned so far. */
export interface Baseline {
  /** Windows learned in all. */
  windows: number
  /** End of the last window learned; undefined before the first. */
  learnedUntil: number | undefined
  level: History
  shape: Record<ShapeName, History>
  calibrations: Record<ViewName, Calibration>
  /** Lessons of the last day, which the calibrations have not been taught yet; oldest first. */
  pending: { windowEnd: number; lessons: Lesson[] }[]
  /** Scores of the last 12 hours, oldest first. */
  recent: { windowEnd: number; score: number }[]
}

export interface Verdict extends Judgement {
  windowStart: number
  windowEnd: number
  onsetScore: number
}

export const emptyBaseline = (): Baseline => ({
  windows: 0,
  learnedUntil: undefined,
  level: new History(LEVEL_CAPACITY),
  shape: {
    std: new History(SHAPE_CAPACITY),
    range: new History(SHAPE_CAPACITY),
    count: new History(SHAPE_CAPACITY),
  },
  calibrations: {
    level: emptyCalibration(),
    hour: emptyCalibration(),
    std: emptyCalibration(),
    range: emptyCalibration(),
    count: emptyCalibration(),
  },
  pending: [],
  recent: [],
})

/**
 * Scores `window` on what came before it, then learns it (in place). Windows must come in order of time;
 * throws a RangeError otherwise, because a score may depend on nothing later.
 */
export function stepBaseline(baseline: Baseline, window: WindowFeatures): Verdict {
  const verdict = judge(baseline, window)
  learn(baseline, window, verdict)
  return verdict
}

/** What `baseline` makes of the next window, which it does not learn: the same again when asked again. */
export function judge(baseline: Baseline, window: WindowFeatures): Verdict {
  if (baseline.learnedUntil !== undefined && window.windowEnd <= baseline.learnedUntil) {
    throw new RangeError('Cannot learn a window that is not newer than the last one learned.')
  }
  teachPending(baseline, window.windowEnd - LESSON_DELAY_MS)
  const judgement = judgeWindow(baseline, window)
  const { windowStart, windowEnd } = window
  return { ...judgement, windowStart, windowEnd, onsetScore: onsetOf(baseline, windowEnd, judgement) }
}

/** The score where it stands out from the last 12 hours, else 0: one mark an episode. */
function onsetOf({ recent }: Baseline, windowEnd: number, { score }: Judgement): number {
  while (recent.length > 0 && windowEnd - recent[0]!.windowEnd > ONSET_MS) recent.shift()
  const before = recent.reduce((most, entry) => Math.max(most, entry.score), 0)
  return score > ONSET_RATIO * before ? score : 0
}

/** Teaches the calibrations what windows that ended by `until` had to say. */
function teachPending({ pending, calibrations }: Baseline, until: number): void {
  let taught = 0
  for (const { windowEnd, lessons } of pending) {
    if (windowEnd > until) break
    teach(calibrations, lessons)
    taught += 1
  }
  pending.splice(0, taught)
}

function teach(calibrations: Baseline['calibrations'], lessons: Lesson[]): void {
  for (const { view, distance } of lessons) addDistance(calibrations[view], distance)
}

function learn(baseline: Baseline, window: WindowFeatures, { state, score, lessons }: Judgement): void {
  // While learning nothing can be excused yet, and the calibration should be usable soon.
  if (state === 'learning') teach(baseline.calibrations, lessons)
  else baseline.pending.push({ windowEnd: window.windowEnd, lessons })
  baseline.level.add(window.windowStart, window.median)
  baseline.shape.count.add(window.windowStart, window.count)
  for (const name of ['std', 'range'] as const) {
    // A single datapoint has no spread, and that of extreme values may exceed the largest double.
    if (window.count > 1 && Number.isFinite(window[name])) {
      baseline.shape[name].add(window.windowStart, window[name])
    }
  }
  baseline.recent.push({ windowEnd: window.windowEnd, score })
  baseline.windows += 1
  baseline.learnedUntil = window.windowEnd
}
