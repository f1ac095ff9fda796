import type { Database } from '../database.ts'
import type { Series } from '../metric-lookup.ts'
import { type EventDevice, SILENCE_EVENT, type SilenceEvent } from '../silence/silence-sql.ts'
import { ALERT_EVENT, type AlertEvent } from './alerts-sql.ts'

/** Disabled rules with an alert that is open, locked until the transaction ends. */
export async function lockDisabledRules(db: Database, tenantId: string): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>(
    `select r.id from alert_rules r where r.tenant_id = $1 and not r.enabled and exists (
       select from alert_events e where e.tenant_id = $1 and e.rule_id = r.id and e.state = 'open')
     order by r.id for no key update of r`,
    [tenantId],
  )
  return rows.map(({ id }) => id)
}

/**
 * Ends the open alerts of disabled rules on metrics. Locks their cursors in the order in which they are locked for
 * judging; where a rule is enabled again it begins anew behind the windows it has seen.
 */
export async function resolveDisabled(
  db: Database,
  tenantId: string,
  ruleIds: string[],
  now: number,
): Promise<{ event: AlertEvent; series: Series; sequence: number }[]> {
  const { rows } = await db.query<AlertEvent & { device: string; metric: string; messages: number }>(
    `with held as (
       select rule_id, metric_id, open_event_id from alert_cursors
       where tenant_id = $1 and rule_id = any($2::uuid[]) and open_event_id is not null
       order by metric_id, rule_id for update),
     closed as (
       update alert_cursors c set open_event_id = null, above_windows = 0, below_windows = 0,
         closed_at = c.last_window_end, sequence = c.sequence + 1
       from held where c.tenant_id = $1 and c.rule_id = held.rule_id and c.metric_id = held.metric_id
       returning held.open_event_id, c.sequence)
     update alert_events e set state = 'resolved', resolved_at = $3, resolved_reason = 'rule_disabled',
       data_missing_since = null
     from closed, metrics m, devices d
     where e.tenant_id = $1 and e.id = closed.open_event_id and e.state = 'open'
       and m.tenant_id = $1 and m.id = e.metric_id and d.tenant_id = $1 and d.id = m.device_id
     returning ${ALERT_EVENT}, d.external_id as device, m.name as metric, closed.sequence as messages`,
    [tenantId, ruleIds, new Date(now)],
  )
  return rows.map(({ device, metric, messages, ...event }) => {
    return { event, series: { tenantId, metricId: event.metricId, device, metric }, sequence: messages }
  })
}

/** The same for rules of silence: the devices that were still silent come with their event. */
export async function resolveDisabledSilences(
  db: Database,
  tenantId: string,
  ruleIds: string[],
  now: number,
): Promise<{ event: SilenceEvent; devices: EventDevice[] }[]> {
  await db.query(
    `update silence_cursors set open_event_id = null
     where tenant_id = $1 and rule_id = any($2::uuid[]) and open_event_id is not null`,
    [tenantId, ruleIds],
  )
  const { rows } = await db.query<SilenceEvent & { devices: EventDevice[] | null }>(
    `update alert_events e set state = 'resolved', resolved_at = $3, resolved_reason = 'rule_disabled',
       sequence = sequence + 1
     where e.tenant_id = $1 and e.rule_id = any($2::uuid[]) and e.kind = 'silence' and e.state = 'open'
     returning ${SILENCE_EVENT}, (
       select jsonb_agg(jsonb_build_object('deviceId', n.device_id, 'device', d.external_id,
         'lastSeenAt', extract(epoch from n.last_seen_at) * 1000, 'silentAt', extract(epoch from n.silent_at) * 1000,
         'cadenceMs', n.cadence_ms, 'recoveredAt', null) order by d.external_id)
       from alert_event_devices n join devices d on d.tenant_id = n.tenant_id and d.id = n.device_id
       where n.tenant_id = $1 and n.event_id = e.id and n.recovered_at is null) as devices`,
    [tenantId, ruleIds, new Date(now)],
  )
  return rows.map(({ devices, ...event }) => ({ event, devices: devices ?? [] }))
}
