import { type Database, instant } from '../database.ts'
import type { AlertCursor, AlertRule } from './judge-alert.ts'

interface MetricKey {
  tenantId: string
  metricId: string
}

/** The enabled rules that watch this metric. */
export async function selectRules(db: Database, { tenantId, metricId }: MetricKey): Promise<AlertRule[]> {
  const { rows } = await db.query<AlertRule>(
    `select id, threshold, for_windows as "forWindows", resolve_windows as "resolveWindows",
       cooldown_seconds * 1000::float8 as "cooldownMs", direction, min_deviation as "minDeviation",
       min_deviation_relative as "minDeviationRelative", max_age_seconds * 1000::float8 as "maxAgeMs"
     from alert_rules where tenant_id = $1 and (metric_id = $2 or metric_id is null) and enabled order by id`,
    [tenantId, metricId],
  )
  return rows
}

interface CursorRow {
  ruleId: string
  lastWindowEnd: number
  aboveWindows: number
  belowWindows: number
  openEventId: string | null
  closedAt: number | null
  sequence: number
}

/**
 * The cursors of `ruleIds` on the metric, locked until the transaction ends. A rule that is new here starts
 * at `start`: the newest window scored before it was first evaluated, -Infinity when there was none.
 */
export async function lockCursors(
  db: Database,
  { tenantId, metricId }: MetricKey,
  ruleIds: string[],
  start: number,
): Promise<Map<string, AlertCursor>> {
  await db.query(
    `insert into alert_cursors (tenant_id, rule_id, metric_id, last_window_end)
     select $1, rule_id, $2, $4 from unnest($3::uuid[]) as rule_id
     on conflict do nothing`,
    [tenantId, metricId, ruleIds, instant(start)],
  )
  const { rows } = await db.query<CursorRow>(
    `select rule_id as "ruleId", (extract(epoch from last_window_end) * 1000)::float8 as "lastWindowEnd",
       above_windows as "aboveWindows", below_windows as "belowWindows", open_event_id as "openEventId",
       (extract(epoch from closed_at) * 1000)::float8 as "closedAt", sequence
     from alert_cursors where tenant_id = $1 and metric_id = $2 and rule_id = any($3)
     order by rule_id for update`,
    [tenantId, metricId, ruleIds],
  )
  return new Map(
    rows.map(({ ruleId, openEventId, closedAt, ...cursor }) => [
      ruleId,
      { ...cursor, openEventId: openEventId ?? undefined, closedAt: closedAt ?? undefined },
    ]),
  )
}

export async function updateCursor(
  db: Database,
  { tenantId, metricId }: MetricKey,
  ruleId: string,
  cursor: AlertCursor,
): Promise<void> {
  await db.query(
    `update alert_cursors set last_window_end = $4, above_windows = $5, below_windows = $6, open_event_id = $7,
       closed_at = $8, sequence = $9
     where tenant_id = $1 and metric_id = $2 and rule_id = $3 and last_window_end < $4`,
    [
      tenantId,
      metricId,
      ruleId,
      new Date(cursor.lastWindowEnd),
      cursor.aboveWindows,
      cursor.belowWindows,
      cursor.openEventId ?? null,
      cursor.closedAt === undefined ? null : new Date(cursor.closedAt),
      cursor.sequence,
    ],
  )
}

/** A stored event, as GET /v1/alerts gives it but for the names' spelling; instants are epoch ms. */
export interface AlertEvent {
  id: string
  ruleId: string
  metricId: string
  windowEnd: number
  score: number
  threshold: number
  reasons: string[]
  state: 'open' | 'resolved'
  openedAt: number
  resolvedAt: number | null
  dataMissingSince: number | null
  acknowledgedAt: number | null
  acknowledgementNote: string | null
  /** Whether receivers were to hear that it opened: who did not shall not hear that it was resolved. */
  announced: boolean
}

export async function insertEvent(db: Database, tenantId: string, event: AlertEvent): Promise<void> {
  await db.query(
    `insert into alert_events (tenant_id, id, rule_id, metric_id, window_end, score, threshold, reasons, state,
       opened_at, announced)
     values ($1, $2, $3, $4, $5, $6, $7, $8, 'open', $9, $10) on conflict do nothing`,
    [
      tenantId,
      event.id,
      event.ruleId,
      event.metricId,
      new Date(event.windowEnd),
      event.score,
      event.threshold,
      JSON.stringify(event.reasons),
      new Date(event.openedAt),
      event.announced,
    ],
  )
}

/** Marks the event resolved and returns it; undefined when it is gone, with its rule or by retention. */
export async function resolveEvent(
  db: Database,
  tenantId: string,
  id: string,
  resolvedAt: number,
): Promise<AlertEvent | undefined> {
  const { rows } = await db.query<AlertEvent>(
    `update alert_events set state = 'resolved', resolved_at = $3, data_missing_since = null
     where tenant_id = $1 and id = $2
     returning id, rule_id as "ruleId", metric_id as "metricId",
       (extract(epoch from window_end) * 1000)::float8 as "windowEnd", score, threshold, reasons, state,
       (extract(epoch from opened_at) * 1000)::float8 as "openedAt",
       (extract(epoch from resolved_at) * 1000)::float8 as "resolvedAt",
       (extract(epoch from data_missing_since) * 1000)::float8 as "dataMissingSince",
       (extract(epoch from acknowledged_at) * 1000)::float8 as "acknowledgedAt",
       acknowledgement_note as "acknowledgementNote", announced`,
    [tenantId, id, new Date(resolvedAt)],
  )
  return rows[0]
}

/**
 * Brings `data_missing_since` of the tenant's open alerts, or those of one metric, up to date: the end of the last window
 * that had data, once nothing has come for 15 minutes and for three times the metric's usual pace; null otherwise.
 * Returns how many changed.
 */
export async function updateDataMissing(
  db: Database,
  { tenantId, metricId }: { tenantId: string; metricId?: string },
  now: number,
): Promise<number> {
  const { rowCount } = await db.query(
    `with latest as (
       select e.tenant_id, e.id, pace.usual,
         greatest(pace.newest, date_bin('5 minutes', m.last_ts, 'epoch') + interval '5 minutes') as ended
       from alert_events e join metrics m on m.tenant_id = e.tenant_id and m.id = e.metric_id,
         lateral (
           select max(window_end) as newest, percentile_cont(0.5) within group (order by since_before) as usual
           from (
             select window_end, window_end - lag(window_end) over (order by window_end) as since_before
             from (select window_end from anomaly_scores where tenant_id = e.tenant_id and metric_id = e.metric_id
                   order by window_end desc limit 13) as recent
           ) as steps
         ) as pace
       where e.tenant_id = $1 and ($2::uuid is null or e.metric_id = $2) and e.state = 'open'
     ), gaps as (
       select tenant_id, id,
         case when ended + greatest(interval '15 minutes', 3 * usual) < $3 then ended end as since
       from latest
     )
     update alert_events e set data_missing_since = gaps.since
     from gaps where e.tenant_id = gaps.tenant_id and e.id = gaps.id and e.state = 'open'
       and e.data_missing_since is distinct from gaps.since`,
    [tenantId, metricId ?? null, new Date(now)],
  )
  return rowCount ?? 0
}
