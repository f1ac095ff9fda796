import type { Api } from '../api/api.ts'
import type { ReadOptions } from '../api/request.ts'
import type { Alert } from '../api/schemas.ts'
import { type HistoryEntry, historyOf } from '../charts/history.ts'
import { MAX_SPAN_MS, type Period, spanOf, type TimeSpan } from '../time-range.ts'

/** So much of what is known is read again: late data and corrections change windows that were closed. */
const OVERLAP_MS = 3_600_000
const WINDOW_MS = 300_000

/** Windows are listed by their start, their scores by their end. */
const endsOf = ({ from, to }: TimeSpan) => ({ from: from + WINDOW_MS, to: to + WINDOW_MS })

export interface MetricHistory {
  span: TimeSpan
  history: HistoryEntry[]
  /** Those of the metric whose window is in the span, oldest first. */
  alerts: Alert[]
}

/** What happened to a metric over a period that is seen at `now`; of what `previous` holds only the newest is read again. */
export async function loadHistory(
  api: Api,
  { metricId, period, now }: { metricId: string; period: Period; now: number },
  read: ReadOptions,
  previous?: MetricHistory,
): Promise<MetricHistory> {
  const span = spanOf(period, now)
  const newest = previous?.history.at(-1)?.windowStart ?? Number.NEGATIVE_INFINITY
  const unread = { from: Math.max(span.from, newest - OVERLAP_MS), to: span.to }
  // Alerts are listed by when they were raised: at the window or any time after.
  const raised = { from: span.from, to: Math.min(now, span.from + MAX_SPAN_MS) }
  const [windows, anomalies, alerts] = await Promise.all([
    api.windows(metricId, unread, read),
    // The windows alone count as progress: two counters would jump to and fro.
    api.anomalies(metricId, endsOf(unread), { ...read, onProgress: () => {} }),
    raised.from < raised.to ? api.alerts(raised, { metricId }, read) : [],
  ])
  const kept = (previous?.history ?? []).filter(
    ({ windowStart }) => windowStart >= span.from && windowStart < unread.from,
  )
  return {
    span,
    history: [
      ...kept,
      ...historyOf(windows, anomalies).filter(({ windowStart }) => windowStart >= unread.from),
    ],
    alerts: alerts.filter(({ window_end: at }) => at !== null && at >= span.from && at <= span.to),
  }
}
