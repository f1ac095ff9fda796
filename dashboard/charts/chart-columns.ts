import { SCORE_THRESHOLD } from '../score-threshold.ts'
import type { HistoryEntry } from './history.ts'

/** Silence longer than this many usual steps breaks the line: what was not measured is not drawn. */
const GAP_STEPS = 3

type Values = (number | null)[]

/** A history as columns for the charts. All are as long as `entries`, which has undefined where a gap stands. */
export interface ChartColumns {
  entries: (HistoryEntry | undefined)[]
  /** Epoch seconds, as uPlot has it. */
  time: number[]
  median: Values
  min: Values
  max: Values
  low: Values
  high: Values
  /** The median of anomalous windows alone, to mark them. */
  anomalous: Values
  /** Null while learning: a score of 0 would read as "all is well". */
  score: Values
}

export function chartColumns(history: HistoryEntry[]): ChartColumns {
  const { entries, time } = withGaps(history)
  const column = (value: (entry: HistoryEntry) => number | null | undefined): Values =>
    entries.map((entry) => (entry && value(entry)) ?? null)
  return {
    entries,
    time,
    median: column(({ window }) => window?.median),
    min: column(({ window }) => window?.min),
    max: column(({ window }) => window?.max),
    low: column(({ anomaly }) => anomaly?.expected.low),
    high: column(({ anomaly }) => anomaly?.expected.high),
    anomalous: column((entry) => (isAnomalous(entry) ? entry.window?.median : null)),
    score: column(({ anomaly }) => (anomaly?.state === 'ready' ? anomaly.score : null)),
  }
}

const isAnomalous = ({ anomaly }: HistoryEntry) => anomaly !== undefined && anomaly.score >= SCORE_THRESHOLD

function withGaps(history: HistoryEntry[]) {
  const entries: (HistoryEntry | undefined)[] = []
  const time: number[] = []
  const gapMs = GAP_STEPS * usualStep(history)
  let previous: number | undefined
  for (const entry of history) {
    const start = entry.windowStart
    if (previous !== undefined && start - previous > gapMs) {
      entries.push(undefined)
      time.push((previous + start) / 2000)
    }
    entries.push(entry)
    time.push(start / 1000)
    previous = start
  }
  return { entries, time }
}

/** The median distance between windows: hourly data has steps of an hour and no gap between them. */
function usualStep(history: HistoryEntry[]): number {
  const steps = history.slice(1).map(({ windowStart }, index) => windowStart - history[index]!.windowStart)
  steps.sort((a, b) => a - b)
  return steps[steps.length >> 1] ?? Number.POSITIVE_INFINITY
}
