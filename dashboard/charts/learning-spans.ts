import type { Anomaly } from '../api/schemas.ts'
import type { TimeSpan } from '../time-range.ts'
import type { HistoryEntry } from './history.ts'

/** The stretches in which the metric was learning, each from its first window to the end of its last. */
export function learningSpans(history: HistoryEntry[]): TimeSpan[] {
  const spans: TimeSpan[] = []
  let before: Anomaly['state'] | undefined
  for (const { anomaly } of history) {
    if (!anomaly) continue
    const { state, window_start: from, window_end: to } = anomaly
    if (state === 'learning') {
      if (before === 'learning') spans.at(-1)!.to = to
      else spans.push({ from, to })
    }
    before = state
  }
  return spans
}
