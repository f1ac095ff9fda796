import type { Anomaly, MetricWindow } from '../api/schemas.ts'

/** A window and its verdict; either may be missing, as a window is read before it is scored. */
export interface HistoryEntry {
  windowStart: number
  window?: MetricWindow
  anomaly?: Anomaly
}

/** Windows and anomalies paired by window start, oldest first. */
export function historyOf(windows: MetricWindow[], anomalies: Anomaly[]): HistoryEntry[] {
  const byStart = new Map<number, HistoryEntry>()
  for (const window of windows) {
    byStart.set(window.window_start, { windowStart: window.window_start, window })
  }
  for (const anomaly of anomalies) {
    const windowStart = anomaly.window_start
    byStart.set(windowStart, { ...byStart.get(windowStart), windowStart, anomaly })
  }
  return [...byStart.values()].sort((a, b) => a.windowStart - b.windowStart)
}
