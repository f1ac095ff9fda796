import type { HistoryEntry } from '../charts/history.ts'
import { csvOf } from '../csv.ts'

const WINDOW_FIELDS = ['count', 'mean', 'std', 'median', 'mad', 'min', 'max', 'range'] as const

const HEAD = [
  ...['window_start', 'window_end', ...WINDOW_FIELDS],
  ...['expected_low', 'expected_high', 'score', 'state', 'reasons'],
]

/** All that is known of each window, oldest first, with every digit; times in UTC. */
export function historyCsv(history: HistoryEntry[]): string {
  return csvOf(HEAD, history.map(rowOf))
}

function rowOf({ windowStart, window, anomaly }: HistoryEntry) {
  const end = window?.window_end ?? anomaly?.window_end
  return [
    new Date(windowStart).toISOString(),
    end === undefined ? null : new Date(end).toISOString(),
    ...WINDOW_FIELDS.map((field) => window?.[field] ?? null),
    ...[anomaly?.expected.low ?? null, anomaly?.expected.high ?? null],
    ...[anomaly?.score ?? null, anomaly?.state ?? null, anomaly?.reasons.join('; ') ?? null],
  ]
}
