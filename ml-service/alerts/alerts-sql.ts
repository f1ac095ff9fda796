import { arrayText } from '../../telemetry/batch-statements.ts'
import { type Database, instant } from '../database.ts'
import type { AlertCursor, AlertRule } from './judge-alert.ts'

/** The tenant's enabled rules, on one metric or (null) on all. */
export async function selectRules(
  db: Database,
  tenantId: string,
): Promise<(AlertRule & { metricId: string | null })[]> {
  const { rows } = await db.query<AlertRule & { metricId: string | null }>(
    `select id, metric_id as "metricId", threshold, for_windows as "forWindows",
       cooldown_seconds * 1000::float8 as "cooldownMs"
     from alert_rules where tenant_id = $1 and enabled order by id`,
    [tenantId],
  )
  return rows
}

interface CursorRow {
  ruleId: string
  metricId: string
  lastWindowEnd: number
  aboveWindows: number
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
       c.above_windows as "aboveWindows", c.open_event_id as "openEventId",
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
       open_event_id = k.open_event_id, closed_at = k.closed_at, sequence = k.sequence
     from unnest($2::uuid[], $3::uuid[], $4::timestamptz[], $5::int[], $6::uuid[], $7::timestamptz[], $8::int[])
       as k (rule_id, metric_id, last_window_end, above_windows, open_event_id, closed_at, sequence)
     where c.tenant_id = $1 and c.rule_id = k.rule_id and c.metric_id = k.metric_id
       and c.last_window_end < k.last_window_end`,
    [
      tenantId,
      arrayText(cursors.map(({ ruleId }) => ruleId)),
      arrayText(cursors.map(({ metricId }) => metricId)),
      cursors.map(({ lastWindowEnd }) => new Date(lastWindowEnd)),
      arrayText(cursors.map(({ aboveWindows }) => aboveWindows)),
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
  dataMissingSince: number | null
}

export async function insertEvent(db: Database, tenantId: string, event: AlertEvent): Promise<void> {
  await db.query(
    `insert into alert_events (tenant_id, id, rule_id, metric_id, window_end, score, threshold, reasons, state,
       opened_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, 'open', $9) on conflict do nothing`,
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
    `update alert_events set state = 'resolved', resolved_at = $3 where tenant_id = $1 and id = $2
     returning id, rule_id as "ruleId", metric_id as "metricId",
       (extract(epoch from window_end) * 1000)::float8 as "windowEnd", score, threshold, reasons, state,
       (extract(epoch from opened_at) * 1000)::float8 as "openedAt",
       (extract(epoch from resolved_at) * 1000)::float8 as "resolvedAt",
       (extract(epoch from data_missing_since) * 1000)::float8 as "dataMissingSince"`,
    [tenantId, id, new Date(resolvedAt)],
  )
  return rows[0]
}
