import { deviationOf } from '../alerts/deviation.ts'
import type { Database } from '../database.ts'
import { windowsOfAggregates } from '../features/read-windows.ts'
import type { Series } from '../metric-lookup.ts'
import { startWalk, walkWindow } from '../train/walk.ts'
import type { LabelledSpan } from './labelled-spans.ts'
import { ThresholdCounter, type ThresholdTally } from './threshold-tally.ts'

const WEEK_MS = 7 * 86_400_000

export interface Backtest {
  windows: number
  /** Windows that were scored, after enough history. */
  readyWindows: number
  /** Start of the first scored window and end of the last; undefined where none was. */
  scored: { from: number; to: number } | undefined
  /** Labelled spans that touch the time that was scored; undefined without labels. */
  labels: number | undefined
  thresholds: (ThresholdTally & { alertsPerWeek: number })[]
}

/**
 * Walks over a metric's whole history as scoring does, each window judged on those before it alone, and counts what
 * each threshold would have raised. Stores nothing; memory holds a page of windows.
 */
export async function backtestSeries(
  db: Database,
  series: Series,
  thresholds: number[],
  spans: LabelledSpan[] | undefined,
): Promise<Backtest> {
  const counters = thresholds.map((one) => new ThresholdCounter(one, series.metricId, spans ?? []))
  const walk = startWalk(undefined)
  const range = { ...series, from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY }
  let readyWindows = 0
  let scored: Backtest['scored']
  for await (const read of windowsOfAggregates(db, range)) {
    const verdict = walkWindow(walk, read)
    if (verdict.state === 'learning') continue
    readyWindows += 1
    scored = { from: scored?.from ?? verdict.windowStart, to: verdict.windowEnd }
    const judged = { ...verdict, deviation: deviationOf(read.window, verdict.expected) }
    for (const counter of counters) counter.add(judged)
  }
  const weeks = scored === undefined ? 0 : (scored.to - scored.from) / WEEK_MS
  return {
    windows: walk.baseline.windows,
    readyWindows,
    scored,
    labels: spans && countWithin(spans, scored),
    thresholds: counters.map(({ tally }) => ({
      ...tally,
      alertsPerWeek: weeks === 0 ? 0 : tally.alerts / weeks,
    })),
  }
}

/** What was labelled before there was a score cannot be found. */
const countWithin = (spans: LabelledSpan[], scored: Backtest['scored']) =>
  scored === undefined ? 0 : spans.filter(({ from, to }) => to >= scored.from && from < scored.to).length
