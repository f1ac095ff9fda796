import { arrayText } from '../../telemetry/batch-statements.ts'
import type { Database } from '../database.ts'
import { LONGEST_SILENCE_MS, type ShardView, type SilenceCursor, type SilenceRule } from './judge-silence.ts'

const MS = (instant: string) => `(extract(epoch from ${instant}) * 1000)::float8`

/**
 * Tenants that have a silence rule, or a rule that is disabled and may have left an alert open. One that is suspended is
 * not heard, so nothing of it is silent.
 */
export async function selectWatchedTenants(db: Database): Promise<string[]> {
  const { rows } = await db.query<{ tenantId: string }>(
    `select distinct r.tenant_id as "tenantId" from alert_rules r join tenants t on t.id = r.tenant_id
     where (r.kind = 'silence' or not r.enabled) and t.state = 'active' order by 1`,
  )
  return rows.map(({ tenantId }) => tenantId)
}

export interface StoredSilenceRule extends SilenceRule {
  id: string
  /** Of silences that became too long before, nobody is told. */
  maxAgeMs: number
}

/** The tenant's enabled silence rules, locked until the transaction ends: whoever judges them is alone. */
export async function lockSilenceRules(db: Database, tenantId: string): Promise<StoredSilenceRule[]> {
  const { rows } = await db.query<StoredSilenceRule>(
    `select id, intervals, floor_seconds * 1000::float8 as "floorMs", ${MS('armed_at')} as "armedAt",
       max_age_seconds * 1000::float8 as "maxAgeMs"
     from alert_rules where tenant_id = $1 and kind = 'silence' and enabled order by id for no key update`,
    [tenantId],
  )
  return rows
}

/** What a rule has to look at: a device, what its shards say, and how far the rule has come with it. */
export interface Watched {
  ruleId: string
  deviceId: string
  device: string
  openEventId: string | null
  cursor: SilenceCursor
  views: ShardView[]
}

/**
 * Devices whose state may mean something to a rule: those of which shards said something new, that are silent in a way
 * the rule has not told of, or that the rule has told of and that are not silent any more.
 */
export async function selectWatched(db: Database, tenantId: string): Promise<Watched[]> {
  const { rows } = await db.query<
    Omit<Watched, 'cursor'> & { lastSeenAt: number | null; views: StoredView[] }
  >(
    `with candidates as (
       select p.device_id from shard_presence s join device_presence p
         on p.tenant_id = s.tenant_id and p.shard = s.shard and p.change > s.judged
       where s.tenant_id = $1
       union
       select p.device_id from device_presence p join shard_presence s on s.tenant_id = p.tenant_id and s.shard = p.shard
       where p.tenant_id = $1 and p.silent_since is not null
         and exists (select from alert_rules r where r.tenant_id = $1 and r.kind = 'silence' and r.enabled
           and (r.device_id is null or r.device_id = p.device_id) and not exists (select from silence_cursors c where c.tenant_id = $1 and c.rule_id = r.id
             and c.device_id = p.device_id and c.last_seen_at >= p.silent_since))
         -- It went to a shard that hears it now. What it missed before that is judged as soon as the word of this one goes
         -- so far, which a look has had a day to see; a shard that it left longer ago has no say in it.
         and not exists (select from device_presence heard where heard.tenant_id = $1 and heard.device_id = p.device_id
           and heard.silent_since is null and (heard.cadence_ms is not null or heard.gap_from is not null)
           and (heard.gap_until is null or heard.gap_until < s.as_of - interval '1 day'
             or heard.gap_from > p.silent_since + $2::float8 * interval '1 millisecond'))
       union
       select c.device_id from silence_cursors c join device_presence p
         on p.tenant_id = c.tenant_id and p.device_id = c.device_id
       where c.tenant_id = $1 and c.open_event_id is not null
         and (p.silent_since is null or p.silent_since > c.last_seen_at))
     select r.id as "ruleId", d.id as "deviceId", d.external_id as device, c.open_event_id as "openEventId",
       ${MS('c.last_seen_at')} as "lastSeenAt", said.views
     from candidates
       join devices d on d.tenant_id = $1 and d.id = candidates.device_id
       join alert_rules r on r.tenant_id = $1 and r.kind = 'silence' and r.enabled
       left join silence_cursors c on c.tenant_id = $1 and c.rule_id = r.id and c.device_id = d.id,
       lateral (
         select jsonb_agg(jsonb_build_object('silentSince', ${MS('p.silent_since')}, 'cadenceMs', p.cadence_ms,
           'from', ${MS('p.gap_from')}, 'until', ${MS('p.gap_until')}, 'countedMs', p.gap_counted_ms,
           'gapCadenceMs', p.gap_cadence_ms, 'asOf', ${MS("greatest(s.as_of, 'epoch')")}, 'countFrom', ${MS('s.count_from')},
           'metAt', ${MS('p.met_at')})) as views
         from device_presence p join shard_presence s on s.tenant_id = p.tenant_id and s.shard = p.shard
         where p.tenant_id = $1 and p.device_id = d.id) as said
     where said.views is not null
       -- What is open for another device than the rule watches now is still to end.
       and (r.device_id is null or r.device_id = d.id or c.open_event_id is not null)
     order by r.id, d.external_id`,
    [tenantId, LONGEST_SILENCE_MS],
  )
  return rows.map(({ lastSeenAt, views, ...watched }) => ({
    ...watched,
    cursor: { lastSeenAt: lastSeenAt ?? Number.NEGATIVE_INFINITY, open: watched.openEventId !== null },
    views: views.map(viewOf),
  }))
}

/** As JSON has it. */
type StoredView = Record<
  'silentSince' | 'cadenceMs' | 'from' | 'until' | 'countedMs' | 'gapCadenceMs',
  number | null
> &
  Pick<ShardView, 'asOf' | 'countFrom' | 'metAt'>

function viewOf({
  silentSince,
  cadenceMs,
  from,
  until,
  countedMs,
  gapCadenceMs,
  ...shard
}: StoredView): ShardView {
  const gap =
    from === null || until === null || countedMs === null || gapCadenceMs === null
      ? undefined
      : { from, until, countedMs, cadenceMs: gapCadenceMs }
  return { ...shard, gap, silentSince: silentSince ?? undefined, cadenceMs: cadenceMs ?? undefined }
}

/** The last change that each shard has told of. */
export interface Said {
  shard: number
  change: number
}

export async function selectSaid(db: Database, tenantId: string): Promise<Said[]> {
  const { rows } = await db.query<Said>(
    `select s.shard, coalesce((select max(p.change) from device_presence p
       where p.tenant_id = s.tenant_id and p.shard = s.shard), 0)::float8 as change
     from shard_presence s where s.tenant_id = $1 order by s.shard`,
    [tenantId],
  )
  return rows
}

/** What shards had said has been judged; what came while it was read has not. */
export async function markJudged(db: Database, tenantId: string, said: Said[]): Promise<void> {
  await db.query(
    `update shard_presence s set judged = said.change from unnest($2::int4[], $3::int8[]) as said (shard, change)
     where s.tenant_id = $1 and s.shard = said.shard and s.judged < said.change`,
    [tenantId, arrayText(said.map(({ shard }) => shard)), arrayText(said.map(({ change }) => change))],
  )
}

/** A device that an event names; instants are epoch ms. */
export interface EventDevice {
  deviceId: string
  device: string
  lastSeenAt: number
  silentAt: number
  cadenceMs: number
  recoveredAt: number | null
}

/** What an event says, its devices aside. */
export interface SilenceEvent {
  id: string
  ruleId: string
  state: 'open' | 'resolved'
  openedAt: number
  resolvedAt: number | null
  resolvedReason: 'rule_disabled' | null
  acknowledgedAt: number | null
  acknowledgementNote: string | null
  deviceCount: number
  /** How many messages were made of it. */
  sequence: number
  announced: boolean
}

/** How many devices of each of the rule's open events are still silent. */
export async function countOpen(
  db: Database,
  tenantId: string,
  ruleId: string,
): Promise<Map<string, number>> {
  const { rows } = await db.query<{ eventId: string; count: number }>(
    `select open_event_id as "eventId", count(*)::float8 as count from silence_cursors
     where tenant_id = $1 and rule_id = $2 and open_event_id is not null group by open_event_id`,
    [tenantId, ruleId],
  )
  return new Map(rows.map(({ eventId, count }) => [eventId, count]))
}

/** An event that opens: the devices it names, and that the rule has told of them. */
export async function insertSilence(
  db: Database,
  tenantId: string,
  event: Pick<SilenceEvent, 'id' | 'ruleId' | 'openedAt' | 'announced'>,
  devices: EventDevice[],
  reasons: string[],
): Promise<void> {
  await db.query(
    `insert into alert_events (tenant_id, id, rule_id, kind, state, opened_at, announced, device_count, sequence, reasons)
     values ($1, $2, $3, 'silence', 'open', $4, $5, $6, 1, $7)`,
    [
      ...[tenantId, event.id, event.ruleId, new Date(event.openedAt), event.announced, devices.length],
      JSON.stringify(reasons),
    ],
  )
  await db.query(
    `insert into alert_event_devices (tenant_id, event_id, device_id, last_seen_at, silent_at, cadence_ms)
     select $1, $2, d.* from unnest($3::uuid[], $4::timestamptz[], $5::timestamptz[], $6::int8[])
       as d (device_id, last_seen_at, silent_at, cadence_ms)`,
    [
      ...[tenantId, event.id, arrayText(devices.map(({ deviceId }) => deviceId))],
      ...[
        devices.map(({ lastSeenAt }) => new Date(lastSeenAt)),
        devices.map(({ silentAt }) => new Date(silentAt)),
      ],
      arrayText(devices.map(({ cadenceMs }) => cadenceMs)),
    ],
  )
  await moveCursors(db, tenantId, event.ruleId, devices, event.id)
}

/** The rule is done with these silences, but for the end of those of an event; null: of which nobody is told. */
export async function moveCursors(
  db: Database,
  tenantId: string,
  ruleId: string,
  silences: { deviceId: string; lastSeenAt: number }[],
  openEventId: string | null,
): Promise<void> {
  await db.query(
    `insert into silence_cursors (tenant_id, rule_id, device_id, last_seen_at, open_event_id)
     select $1, $2, d.device_id, d.last_seen_at, $3 from unnest($4::uuid[], $5::timestamptz[]) as d (device_id, last_seen_at)
     order by d.device_id
     on conflict (tenant_id, rule_id, device_id) do update
       set last_seen_at = excluded.last_seen_at, open_event_id = excluded.open_event_id`,
    [
      ...[tenantId, ruleId, openEventId, arrayText(silences.map(({ deviceId }) => deviceId))],
      silences.map(({ lastSeenAt }) => new Date(lastSeenAt)),
    ],
  )
}

/**
 * Devices of an event send again; with the last of them it is resolved. Returns the event as it is then, and how many
 * devices are still silent.
 */
export async function recoverDevices(
  db: Database,
  tenantId: string,
  { ruleId, eventId }: { ruleId: string; eventId: string },
  devices: { deviceId: string; recoveredAt: number }[],
): Promise<{ event: SilenceEvent; stillSilent: number; recovered: EventDevice[] } | undefined> {
  const ids = arrayText(devices.map(({ deviceId }) => deviceId))
  await db.query(
    `update silence_cursors set open_event_id = null
     where tenant_id = $1 and rule_id = $2 and open_event_id = $3 and device_id = any($4::uuid[])`,
    [tenantId, ruleId, eventId, ids],
  )
  const { rows: recovered } = await db.query<EventDevice>(
    `update alert_event_devices e set recovered_at = r.recovered_at
     from unnest($3::uuid[], $4::timestamptz[]) as r (device_id, recovered_at), devices d
     where e.tenant_id = $1 and e.event_id = $2 and e.device_id = r.device_id and e.recovered_at is null
       and d.tenant_id = $1 and d.id = e.device_id
     returning e.device_id as "deviceId", d.external_id as device, ${MS('e.last_seen_at')} as "lastSeenAt",
       ${MS('e.silent_at')} as "silentAt", e.cadence_ms::float8 as "cadenceMs", ${MS('e.recovered_at')} as "recoveredAt"`,
    [tenantId, eventId, ids, devices.map(({ recoveredAt }) => new Date(recoveredAt))],
  )
  const { rows } = await db.query<SilenceEvent & { stillSilent: number }>(
    `with ends as (
       select count(*) filter (where recovered_at is null) as silent, max(recovered_at) as last
       from alert_event_devices where tenant_id = $1 and event_id = $2)
     update alert_events e set sequence = sequence + 1,
       state = case when ends.silent = 0 then 'resolved' else 'open' end,
       resolved_at = case when ends.silent = 0 then ends.last end
     from ends where e.tenant_id = $1 and e.id = $2 and e.state = 'open'
     returning ${SILENCE_EVENT}, ends.silent::float8 as "stillSilent"`,
    [tenantId, eventId],
  )
  const [row] = rows
  if (row === undefined) return undefined
  const { stillSilent, ...event } = row
  return { event, stillSilent, recovered: recovered.sort((a, b) => (a.device < b.device ? -1 : 1)) }
}

/** Columns of `alert_events e` as a SilenceEvent. */
export const SILENCE_EVENT = `e.id, e.rule_id as "ruleId", e.state, ${MS('e.opened_at')} as "openedAt",
  ${MS('e.resolved_at')} as "resolvedAt", e.resolved_reason as "resolvedReason",
  ${MS('e.acknowledged_at')} as "acknowledgedAt", e.acknowledgement_note as "acknowledgementNote",
  e.device_count as "deviceCount", e.sequence, e.announced`
