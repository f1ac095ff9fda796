import { getTableColumns, type SQL, sql } from 'drizzle-orm'
import * as v from 'valibot'
import { alertEvents } from '../../migrations/alerting-schema.ts'
import { component, Id, Instant, told } from '../openapi/fields.ts'

export const State = v.picklist(['open', 'resolved'])

const Count = v.pipe(v.number(), v.integer())
const MAX_NAMED = 100

const SilentDevice = component(
  'SilentDevice',
  v.object({
    device_id: Id,
    device: told(v.string(), 'Its name.'),
    last_seen_at: told(Instant, 'When its last data arrived before it fell silent.'),
    silent_at: told(Instant, 'When it had been silent for too long.'),
    cadence_seconds: told(v.number(), 'How often it usually sends.'),
    recovered_at: told(v.nullable(Instant), 'When data arrived again; null: none has.'),
  }),
  'A device that fell silent.',
)

export const Alert = component(
  'Alert',
  v.object({
    id: Id,
    rule_id: Id,
    kind: told(v.picklist(['anomaly', 'silence']), 'That of its rule.'),
    metric_id: told(v.nullable(Id), 'The metric it is about; null: it is about devices.'),
    window_end: told(v.nullable(Instant), 'The end of the window that raised it; null: silence did.'),
    score: told(v.nullable(v.number()), 'The score of that window.'),
    threshold: told(v.nullable(v.number()), 'The threshold of the rule at that time.'),
    state: State,
    opened_at: Instant,
    resolved_at: v.nullable(Instant),
    resolved_reason: told(
      v.nullable(v.picklist(['rule_disabled'])),
      'Why it is over, if not because the metric is as expected or the devices send again.',
    ),
    data_missing_since: told(
      v.nullable(Instant),
      'Since when an open alert has seen no data; it stays open.',
    ),
    acknowledged_at: told(v.nullable(Instant), 'When somebody took notice of it; null: nobody has.'),
    acknowledgement_note: told(v.nullable(v.string()), 'What they had to say.'),
    device_count: told(v.nullable(Count), 'Of how many devices a silence is; null: it is no silence.'),
    silent_count: told(v.nullable(Count), 'How many of them have not sent anything since.'),
    devices: told(
      v.nullable(v.array(SilentDevice)),
      `The first ${MAX_NAMED} of them, those still silent first, by name; GET /v1/devices?alert_id= lists all.`,
    ),
  }),
  'An alert that a rule raised.',
  {
    id: 'c4e6a8b0-1d2f-4a3c-9b5e-7f8091a2b3c4',
    rule_id: '9a7c5e31-2b4d-4f68-8a0c-1e3f5d7b9c24',
    kind: 'anomaly',
    metric_id: '7b0f9c52-93d1-5a60-9d0e-2f4c7a1b3e58',
    window_end: '2026-01-08T12:05:00.000Z',
    score: 1.42,
    threshold: 1,
    state: 'open',
    opened_at: '2026-01-08T12:06:31.204Z',
    resolved_at: null,
    resolved_reason: null,
    data_missing_since: null,
    acknowledged_at: '2026-01-08T12:20:00.000Z',
    acknowledgement_note: 'Bearing ordered, runs at half load until Friday.',
    device_count: null,
    silent_count: null,
    devices: null,
  },
)

/** Instants as epoch ms: JSON has none. */
const NAMED = sql<StoredDevice[]>`(
  select coalesce(jsonb_agg(to_jsonb(named)), '[]') from (
    select n.device_id, d.external_id as device, n.cadence_ms, extract(epoch from n.last_seen_at) * 1000 as last_seen_at,
      extract(epoch from n.silent_at) * 1000 as silent_at, extract(epoch from n.recovered_at) * 1000 as recovered_at
    from alert_event_devices n join devices d on d.tenant_id = n.tenant_id and d.id = n.device_id
    where n.tenant_id = alert_events.tenant_id and n.event_id = alert_events.id
    order by n.recovered_at is not null, d.external_id limit ${sql.raw(String(MAX_NAMED))}) as named)`
const SILENT_COUNT = sql<number>`(
  select count(*)::int from alert_event_devices n
  where n.tenant_id = alert_events.tenant_id and n.event_id = alert_events.id and n.recovered_at is null)`

const ofSilence = <T>(what: SQL<T>) => sql<T | null>`case when alert_events.kind = 'silence' then ${what} end`

interface StoredDevice {
  device_id: string
  device: string
  cadence_ms: number
  last_seen_at: number
  silent_at: number
  recovered_at: number | null
}

/** What is read of an alert for `alertView`. */
export const ALERT_COLUMNS = {
  ...getTableColumns(alertEvents),
  silentCount: ofSilence(SILENT_COUNT),
  devices: ofSilence(NAMED),
}

type AlertRow = typeof alertEvents.$inferSelect & {
  silentCount: number | null
  devices: StoredDevice[] | null
}

export function alertView(row: AlertRow): v.InferOutput<typeof Alert> {
  return {
    id: row.id,
    rule_id: row.ruleId,
    kind: row.kind,
    metric_id: row.metricId,
    window_end: row.windowEnd,
    score: row.score,
    threshold: row.threshold,
    state: row.state,
    opened_at: row.openedAt,
    resolved_at: row.resolvedAt,
    resolved_reason: row.resolvedReason,
    data_missing_since: row.dataMissingSince,
    acknowledged_at: row.acknowledgedAt,
    acknowledgement_note: row.acknowledgementNote,
    device_count: row.deviceCount,
    silent_count: row.silentCount,
    devices: row.devices?.map(deviceView) ?? null,
  }
}

const deviceView = ({ device_id, device, cadence_ms, ...at }: StoredDevice) => ({
  device_id,
  device,
  last_seen_at: new Date(at.last_seen_at),
  silent_at: new Date(at.silent_at),
  cadence_seconds: cadence_ms / 1000,
  recovered_at: at.recovered_at === null ? null : new Date(at.recovered_at),
})
