import { isoTime } from '../iso-time.ts'
import type { WebhookMessage } from '../webhooks/enqueue-deliveries.ts'
import type { EventDevice, SilenceEvent } from './silence-sql.ts'

/** Devices that a message or an answer names; the count is of all. */
export const MAX_NAMED = 100

/**
 * What webhooks say of a silence: the event as GET /v1/alerts gives it, but that `devices` are those the message is
 * about, and what a reader wants beside it.
 */
export function silenceMessage(
  event: SilenceEvent,
  devices: EventDevice[],
  { silentCount, reasons }: { silentCount: number; reasons: string[] },
): WebhookMessage {
  const opened = event.sequence === 1
  const type = opened ? 'device.silent' : 'device.recovered'
  const data = {
    id: event.id,
    rule_id: event.ruleId,
    kind: 'silence',
    metric_id: null,
    window_end: null,
    score: null,
    threshold: null,
    state: event.state,
    opened_at: isoTime(event.openedAt),
    resolved_at: isoTime(event.resolvedAt),
    resolved_reason: event.resolvedReason,
    data_missing_since: null,
    acknowledged_at: isoTime(event.acknowledgedAt),
    acknowledgement_note: event.acknowledgementNote,
    device_count: event.deviceCount,
    silent_count: silentCount,
    devices: devices.slice(0, MAX_NAMED).map(deviceData),
    device: devices.length === 1 ? devices[0]!.device : null,
    metric: null,
    reasons,
    sequence: event.sequence,
  }
  const timestamp = isoTime(opened ? event.openedAt : (event.resolvedAt ?? lastRecovery(devices)))
  return {
    eventKey: `${event.id}:${event.sequence}`,
    type,
    body: JSON.stringify({ type, timestamp, data }),
    order: { alertId: event.id, sequence: event.sequence },
  }
}

const lastRecovery = (devices: EventDevice[]) =>
  devices.reduce((last, { recoveredAt }) => Math.max(last, recoveredAt ?? 0), 0)

const deviceData = ({ deviceId, device, lastSeenAt, silentAt, cadenceMs, recoveredAt }: EventDevice) => ({
  device_id: deviceId,
  device,
  last_seen_at: isoTime(lastSeenAt),
  silent_at: isoTime(silentAt),
  cadence_seconds: cadenceMs / 1000,
  recovered_at: isoTime(recoveredAt),
})

const EXAMPLES = 3

/** One sentence for people: `pump-1, pump-2, pump-3 and 97 more have sent nothing for longer than usual`. */
export const silenceReasons = (devices: EventDevice[]) => [
  `${subject(devices)} sent nothing for longer than usual`,
]
export const recoveryReasons = (devices: EventDevice[]) => [`${subject(devices)} sent data again`]

function subject(devices: EventDevice[]): string {
  const names = devices.slice(0, EXAMPLES).map(({ device }) => device)
  const others = devices.length - names.length
  return `${names.join(', ')}${others > 0 ? ` and ${others} more` : ''} ${devices.length === 1 ? 'has' : 'have'}`
}
