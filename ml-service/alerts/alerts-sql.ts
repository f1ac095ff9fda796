import { arrayText } from '../../telemetry/batch-statements.ts'
import { type Database, instant } from '../database.ts'
import type { AlertCursor, AlertRule } from './judge-alert.ts'

/** The tenant's enabled rules, on one metric or (null) on all. */
export async function selectRules(
  db: Database,
  tenantId: string,
): Promise<(AlertRule & { metricId: string | null })[]> {
  const { rows } = await db.query<AlertRule & { metricId: string | null }>(
    `select id, metric_id as "metricId", threshold, for_windows as "forWindows", resolve_windows as "resolveWindows",
       cooldown_seconds * 1000::float8 as "cooldownMs", direction, min_deviation as "minDeviation",
       min_deviation_relative as "minDeviationRelative", max_age_seconds * 1000::float8 as "maxAgeMs"
     from alert_rules where tenant_id = $1 and enabled and kind = 'anomaly' order by id`,
    [tenantId],
  )
  return rows
}

interface CursorRow {
  ruleId: string
  metricId: string
  lastWindowEnd: number
  aboveWindows: number
  belowWindows: number
  openEventId: string | null
  closedAt: number | null
  sequence: number
}

/** A rule on a metric, which starts at `start` where it is new. */
export interface CursorKey {
  ruleId: string
  metricId: string
  start: number
}

/**
 * The cursors of these rules on metrics of one tenant, locked until the transaction ends; none of a rule that
 * has been deleted meanwhile. A rule that is new on a metric starts at the newest window scored before it was
 * first evaluated there, -Infinity when there was none.
 */
export async function lockCursors(
  db: Database,
  tenantId: string,
  keys: CursorKey[],
): Promise<(AlertCursor & { ruleId: string; metricId: string })[]> {
  const columns = [
    arrayText(keys.map(({ ruleId }) => ruleId)),
    arrayText(keys.map(({ metricId }) => metricId)),
  ]
  await db.query(
    `insert into alert_cursors (tenant_id, rule_id, metric_id, last_window_end)
     select $1, k.rule_id, k.metric_id, k.start
     from unnest($2::uuid[], $3::uuid[], $4::timestamptz[]) as k (rule_id, metric_id, start)
       join alert_rules r on r.tenant_id = $1 and r.id = k.rule_id
     order by k.metric_id, k.rule_id
     on conflict do nothing`,
    [tenantId, ...columns, keys.map(({ start }) => instant(start))],
  )
  const { rows } = await db.query<CursorRow>(
    `select c.rule_id as "ruleId", c.metric_id as "metricId",
       (extract(epoch from c.last_window_end) * 1000)::float8 as "lastWindowEnd",
       c.above_windows as "aboveWindows", c.below_windows as "belowWindows", c.open_event_id as "openEventId",
       (extract(epoch from c.closed_at) * 1000)::float8 as "closedAt", c.sequence
     from alert_cursors c join unnest($2::uuid[], $3::uuid[]) as k (rule_id, metric_id)
       on c.rule_id = k.rule_id and c.metric_id = k.metric_id
     where c.tenant_id = $1
     order by c.metric_id, c.rule_id for update of c`,
    [tenantId, ...columns],
  )
  return rows.map(({ openEventId, closedAt, ...cursor }) => ({
    ...cursor,
    openEventId: openEventId ?? undefined,
    closedAt: closedAt ?? undefined,
  }))
}

export async function updateCursors(
  db: Database,
  tenantId: string,
  cursors: (AlertCursor & { ruleId: string; metricId: string })[],
): Promise<void> {
  await db.query(
    `update alert_cursors c set last_window_end = k.last_window_end, above_windows = k.above_windows,
       below_windows = k.below_windows, open_event_id = k.open_event_id, closed_at = k.closed_at, sequence = k.sequence
     from unnest($2::uuid[], $3::uuid[], $4::timestamptz[], $5::int[], $6::int[], $7::uuid[], $8::timestamptz[], $9::int[])
       as k (rule_id, metric_id, last_window_end, above_windows, below_windows, open_event_id, closed_at, sequence)
     where c.tenant_id = $1 and c.rule_id = k.rule_id and c.metric_id = k.metric_id
       and c.last_window_end < k.last_window_end`,
    [
      tenantId,
      arrayText(cursors.map(({ ruleId }) => ruleId)),
      arrayText(cursors.map(({ metricId }) => metricId)),
      cursors.map(({ lastWindowEnd }) => new Date(lastWindowEnd)),
      arrayText(cursors.map(({ aboveWindows }) => aboveWindows)),
      arrayText(cursors.map(({ belowWindows }) => belowWindows)),
      cursors.map(({ openEventId }) => openEventId ?? null),
      cursors.map(({ closedAt }) => (closedAt === undefined ? null : new Date(closedAt))),
      arrayText(cursors.map(({ sequence }) => sequence)),
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
  /** Why it is over, where that is not the metric. */
  resolvedReason: 'rule_disabled' | null
  dataMissingSince: number | null
  acknowledgedAt: number | null
  acknowledgementNote: string | null
  /** Whether receivers were to hear that it opened: who did not shall not hear that it was resolved. */
  announced: boolean
  /** Of the batch with the newest datapoint of the window that opened it, as a uuid; null where it is not known. */
  traceId: string | null
}

export async function insertEvent(db: Database, tenantId: string, event: AlertEvent): Promise<void> {
  await db.query(
    `insert into alert_events (tenant_id, id, rule_id, metric_id, window_end, score, threshold, reasons, state,
       opened_at, announced, trace_id)
     values ($1, $2, $3, $4, $5, $6, $7, $8, 'open', $9, $10, $11) on conflict do nothing`,
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
      event.traceId,
    ],
  )
}

/** Columns of `alert_events e` as an AlertEvent. */
export const ALERT_EVENT = `e.id, e.rule_id as "ruleId", e.metric_id as "metricId",
  (extract(epoch from e.window_end) * 1000)::float8 as "windowEnd", e.score, e.threshold, e.reasons, e.state,
  (extract(epoch from e.opened_at) * 1000)::float8 as "openedAt",
  (extract(epoch from e.resolved_at) * 1000)::float8 as "resolvedAt", e.resolved_reason as "resolvedReason",
  (extract(epoch from e.data_missing_since) * 1000)::float8 as "dataMissingSince",
  (extract(epoch from e.acknowledged_at) * 1000)::float8 as "acknowledgedAt",
  e.acknowledgement_note as "acknowledgementNote", e.announced, e.trace_id as "traceId"`

/** Marks the event resolved and returns it; undefined when it is gone, with its rule or by retention. */
export async function resolveEvent(
  db: Database,
  tenantId: string,
  id: string,
  resolvedAt: number,
): Promise<AlertEvent | undefined> {
  const { rows } = await db.query<AlertEvent>(
    `update alert_events e set state = 'resolved', resolved_at = $3, data_missing_since = null
     where tenant_id = $1 and id = $2
     returning ${ALERT_EVENT}`,
    [tenantId, id, new Date(resolvedAt)],
  )
  return rows[0]
}

/**
 * Brings `data_missing_since` of the tenant's open alerts, or those of some metrics, up to date: the end of the last window
 * that had data, once nothing has come for 15 minutes and for three times the metric's usual pace; null otherwise.
 * Returns how many changed. One that somebody else is about to change is passed over: who scores its metric sees to it, and
 * waiting for one while holding another could be for ever.
 */
export async function updateDataMissing(
  db: Database,
  { tenantId, metricIds }: { tenantId: string; metricIds?: string[] },
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
       where e.tenant_id = $1 and ($2::uuid[] is null or e.metric_id = any($2)) and e.state = 'open'
     ), gaps as (
       select tenant_id, id,
         case when ended + greatest(interval '15 minutes', 3 * usual) < $3 then ended end as since
       from latest
     ), changed as (
       select e.tenant_id, e.id, gaps.since from gaps join alert_events e on e.tenant_id = gaps.tenant_id and e.id = gaps.id
       where e.state = 'open' and e.data_missing_since is distinct from gaps.since
       for update of e skip locked)
     update alert_events e set data_missing_since = changed.since
     from changed where e.tenant_id = changed.tenant_id and e.id = changed.id`,
    [tenantId, metricIds ?? null, new Date(now)],
  )
  return rowCount ?? 0
}
