import type { Series } from '../metric-lookup.ts'
import type { AlertEvent } from './alerts-sql.ts'

export interface AlertMessage {
  /** One delivery per endpoint and key. */
  eventKey: string
  type: 'alert.opened' | 'alert.resolved'
  /** Exactly the bytes to sign and send. */
  body: string
}

/** What webhooks say of an event: the event as GET /v1/alerts gives it, and what a reader wants beside it. */
export function alertMessage(event: AlertEvent, series: Series, sequence: number, now: number): AlertMessage {
  const opened = event.state === 'open'
  const type = opened ? 'alert.opened' : 'alert.resolved'
  const data = {
    id: event.id,
    rule_id: event.ruleId,
    metric_id: event.metricId,
    window_end: iso(event.windowEnd),
    score: event.score,
    threshold: event.threshold,
    state: event.state,
    opened_at: iso(event.openedAt),
    resolved_at: iso(event.resolvedAt),
    data_missing_since: iso(event.dataMissingSince),
    device: series.device,
    metric: series.metric,
    reasons: event.reasons,
    sequence,
  }
  return {
    eventKey: `${event.id}:${opened ? 'opened' : 'resolved'}`,
    type,
    body: JSON.stringify({ type, timestamp: iso(now), data }),
  }
}

const iso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString())
