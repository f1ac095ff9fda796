import { type AlertRule, judgeAlert, NEW_CURSOR, type ScoredWindow } from '../alerts/judge-alert.ts'
import type { LabelledSpan } from './labelled-spans.ts'

/** What a threshold would have done over a stretch of history. */
export interface ThresholdTally {
  threshold: number
  /** Windows at or above the threshold. */
  anomalousWindows: number
  /** Alerts that a rule with this threshold would have opened. */
  alerts: number
  /** Alerts of which some window lies in a labelled span. */
  trueAlerts: number
  /** Labelled spans during which an alert was open. */
  labelsFound: number
}

/** What a rule is that says nothing but its threshold; nobody is told here, however old a window is. */
const PLAIN_RULE = {
  forWindows: 1,
  resolveWindows: 1,
  cooldownMs: 0,
  direction: 'both',
  minDeviation: 0,
  minDeviationRelative: 0,
  maxAgeMs: 0,
} as const

/** Counts while windows come in order of time, by the live rule: one window opens an alert, one below ends it. */
export class ThresholdCounter {
  readonly #rule: AlertRule & { metricId: string }
  readonly #spans: LabelledSpan[]
  readonly #found = new Set<LabelledSpan>()
  readonly #counts = { anomalousWindows: 0, alerts: 0, trueAlerts: 0 }
  #cursor = NEW_CURSOR
  #countedTrue = false

  /** Spans ordered by time, without overlap. */
  constructor(threshold: number, metricId: string, spans: LabelledSpan[]) {
    this.#rule = { id: `${threshold}`, metricId, threshold, ...PLAIN_RULE }
    this.#spans = spans
  }

  add(window: ScoredWindow & { windowStart: number }): void {
    const { cursor, effect } = judgeAlert(this.#cursor, this.#rule, window)
    this.#cursor = cursor
    if (window.state === 'ready' && window.score >= this.#rule.threshold) this.#counts.anomalousWindows += 1
    if (effect?.kind === 'open') {
      this.#counts.alerts += 1
      this.#countedTrue = false
    }
    if (cursor.openEventId === undefined) return
    const span = spanAt(this.#spans, window)
    if (span === undefined) return
    this.#found.add(span)
    if (!this.#countedTrue) this.#counts.trueAlerts += 1
    this.#countedTrue = true
  }

  get tally(): ThresholdTally {
    return { threshold: this.#rule.threshold, ...this.#counts, labelsFound: this.#found.size }
  }
}

/** The first span that the window touches. O(log n). */
function spanAt(
  spans: LabelledSpan[],
  { windowStart, windowEnd }: { windowStart: number; windowEnd: number },
): LabelledSpan | undefined {
  let low = 0
  let high = spans.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (spans[middle]!.to < windowStart) low = middle + 1
    else high = middle
  }
  const span = spans[low]
  return span !== undefined && span.from < windowEnd ? span : undefined
}
