import { type Database, instant } from '../database.ts'
import type { AlertCursor, AlertRule } from './judge-alert.ts'

interface MetricKey {
  tenantId: string
  metricId: string
}

/** The enabled rules that watch this metric. */
export async function selectRules(db: Database, { tenantId, metricId }: MetricKey): Promise<AlertRule[]> {
  const { rows } = await db.query<AlertRule>(
    `select id, threshold, for_windows as "forWindows", cooldown_seconds * 1000::float8 as "cooldownMs"
     from alert_rules where tenant_id = $1 and (metric_id = $2 or metric_id is null) and enabled order by id`,
    [tenantId, metricId],
  )
  return rows
}

interface CursorRow {
  ruleId: string
  lastWindowEnd: number
  aboveWindows: number
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
       above_windows as "aboveWindows", open_event_id as "openEventId",
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
    `update alert_cursors set last_window_end = $4, above_windows = $5, open_event_id = $6, closed_at = $7,
       sequence = $8
     where tenant_id = $1 and metric_id = $2 and rule_id = $3 and last_window_end < $4`,
    [
      tenantId,
      metricId,
      ruleId,
      new Date(cursor.lastWindowEnd),
      cursor.aboveWindows,
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
