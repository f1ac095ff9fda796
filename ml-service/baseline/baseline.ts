import type { WindowFeatures } from '../../telemetry/window-features.ts'
import { Calibration } from './calibration.ts'
import { History } from './history.ts'
import { type Judgement, judgeWindow, readyAt } from './judge-window.ts'
import type { MeasuredNoise } from './noise.ts'
import { HISTORIES, type HistoryName, SMOOTHED, type ViewName, valuesOf } from './views.ts'

/** 4 weeks of window medians; the within-window features are kept for one. */
const LEVEL_CAPACITY = 8064
const SHAPE_CAPACITY = 2016

export const CAPACITIES: Record<HistoryName, number> = {
  level: LEVEL_CAPACITY,
  smooth: LEVEL_CAPACITY - (SMOOTHED - 1), // as many as follow from the levels held
  std: SHAPE_CAPACITY,
  range: SHAPE_CAPACITY,
  count: SHAPE_CAPACITY,
}

/** An onset must exceed this many times everything in the last 12 hours. */
const ONSET_RATIO = 1.5
const ONSET_MS = 12 * 3600_000

/**
 * What an anomalous window showed is not known before a day has passed: a failure stays as severe as it is, while a new
 * way of running is accepted the day after.
 */
const HOLD_MS = 24 * 3600_000

/** Everything that is known of one metric: bounded, and a pure function of the windows learned so far. */
export interface Baseline {
  /** Windows learned in all. */
  windows: number
  /** Windows learned when scoring began; undefined while learning. */
  readyAfter: number | undefined
  /** End of the last window learned; undefined before the first. */
  learnedUntil: number | undefined
  histories: Record<HistoryName, History>
  calibrations: Record<ViewName, Calibration>
  /** Starts of the windows that are held back from what is known, oldest first. */
  held: number[]
  /** What was new in the windows of the last 12 hours, oldest first. */
  recent: { windowEnd: number; novelty: number }[]
  measured: MeasuredNoise | undefined
}

export interface Verdict extends Judgement {
  windowStart: number
  windowEnd: number
  /** How new the window is where that stands out from the last 12 hours, else 0: one mark an episode. */
  onsetScore: number
}

export const emptyBaseline = (): Baseline => ({
  ...{ windows: 0, readyAfter: undefined, learnedUntil: undefined, held: [], recent: [] },
  measured: undefined,
  histories: {
    level: new History(CAPACITIES.level),
    smooth: new History(CAPACITIES.smooth),
    std: new History(CAPACITIES.std),
    range: new History(CAPACITIES.range),
    count: new History(CAPACITIES.count),
  },
  calibrations: {
    level: new Calibration(),
    log: new Calibration(),
    smooth: new Calibration(),
    hour: new Calibration(),
    still: new Calibration(),
    std: new Calibration(),
    range: new Calibration(),
    count: new Calibration(),
  },
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
  const { windowStart, windowEnd } = window
  if (baseline.learnedUntil !== undefined && windowEnd <= baseline.learnedUntil) {
    throw new RangeError('Cannot learn a window that is not newer than the last one learned.')
  }
  release(baseline, windowStart - HOLD_MS)
  const judgement = judgeWindow(baseline, window)
  const { novelty } = judgement
  let before = 0
  for (const entry of baseline.recent) {
    if (windowEnd - entry.windowEnd <= ONSET_MS) before = Math.max(before, entry.novelty)
  }
  return { ...judgement, windowStart, windowEnd, onsetScore: novelty > ONSET_RATIO * before ? novelty : 0 }
}

/** A window is released by the time of the next one, so it does not matter how often that is judged. */
function release({ held, histories }: Baseline, before: number): void {
  if (held.length === 0 || held[0]! >= before) return
  while (held.length > 0 && held[0]! < before) held.shift()
  for (const name of HISTORIES) histories[name].releaseBefore(before)
}

function learn(baseline: Baseline, window: WindowFeatures, { score, novelty, lessons }: Judgement): void {
  const { histories, calibrations, recent, held } = baseline
  const { windowStart, windowEnd } = window
  for (const { view, distance } of lessons) calibrations[view].add(distance)
  const isHeld = score >= 1
  if (isHeld) held.push(windowStart)
  const values = valuesOf(baseline, window)
  for (const name of HISTORIES) {
    const value = values[name]
    if (value !== undefined) histories[name].add(windowStart, value, isHeld)
  }
  while (recent.length > 0 && windowEnd - recent[0]!.windowEnd > ONSET_MS) recent.shift()
  if (novelty > 0) recent.push({ windowEnd, novelty })
  baseline.windows += 1
  baseline.learnedUntil = windowEnd
  if (windowEnd >= readyAt(baseline)) baseline.readyAfter ??= baseline.windows
}
