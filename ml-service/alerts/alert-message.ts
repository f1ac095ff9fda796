import { isoTime } from '../iso-time.ts'
import type { Series } from '../metric-lookup.ts'
import type { WebhookMessage } from '../webhooks/enqueue-deliveries.ts'
import type { AlertEvent } from './alerts-sql.ts'

/**
 * What webhooks say of an event: the event as GET /v1/alerts gives it, and what a reader wants beside it. Made of
 * the event alone, so that it comes out the same whenever its windows are scored.
 */
export function alertMessage(event: AlertEvent, series: Series, sequence: number): WebhookMessage {
  const opened = event.state === 'open'
  const type = opened ? 'alert.opened' : 'alert.resolved'
  const data = {
    id: event.id,
    rule_id: event.ruleId,
    kind: 'anomaly',
    metric_id: event.metricId,
    window_end: isoTime(event.windowEnd),
    score: event.score,
    threshold: event.threshold,
    state: event.state,
    opened_at: isoTime(event.openedAt),
    resolved_at: isoTime(event.resolvedAt),
    resolved_reason: event.resolvedReason,
    data_missing_since: isoTime(event.dataMissingSince),
    acknowledged_at: isoTime(event.acknowledgedAt),
    acknowledgement_note: event.acknowledgementNote,
    device_count: null,
    silent_count: null,
    devices: null,
    device: series.device,
    metric: series.metric,
    reasons: event.reasons,
    sequence,
  }
  const timestamp = isoTime(event.resolvedAt ?? event.openedAt)
  return {
    eventKey: `${event.id}:${opened ? 'opened' : 'resolved'}`,
    type,
    body: JSON.stringify({ type, timestamp, data }),
    order: { alertId: event.id, sequence },
    traceId: event.traceId,
  }
}
