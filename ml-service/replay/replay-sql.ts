import { arrayText, TO_INSTANT } from '../../telemetry/batch-statements.ts'
import { SUPERSEDING_SHARD } from '../../telemetry/superseding-part.ts'
import type { WindowPart } from '../../telemetry/window-features.ts'
import { type Database, instant } from '../database.ts'
import { UsageError } from '../usage-error.ts'

/** A replay's progress through the manifests of one tenant and range. */
export interface Scope {
  tenantId: string
  scope: string
}

export async function isReplayed(
  db: Database,
  { tenantId, scope }: Scope,
  manifest: string,
): Promise<boolean> {
  const { rowCount } = await db.query(
    'select 1 from replayed_manifests where tenant_id = $1 and scope = $2 and manifest = $3',
    [tenantId, scope, manifest],
  )
  return rowCount === 1
}

export async function markReplayed(
  db: Database,
  { tenantId, scope }: Scope,
  manifest: string,
): Promise<void> {
  await db.query(
    `insert into replayed_manifests (tenant_id, scope, manifest) values ($1, $2, $3) on conflict do nothing`,
    [tenantId, scope, manifest],
  )
}

/** The next replay of this range starts from the beginning. */
export async function forgetReplayed(db: Database, { tenantId, scope }: Scope): Promise<void> {
  await db.query('delete from replayed_manifests where tenant_id = $1 and scope = $2', [tenantId, scope])
}

/** The longest period there is, so that nothing is deleted before somebody sets the tenant's own again. */
export async function insertLostTenant(db: Database, tenantId: string): Promise<void> {
  await db.query(
    'insert into tenants (id, name, retention_days) values ($1, $2, 400) on conflict (id) do nothing',
    [tenantId, tenantId],
  )
}

/** For how many days the tenant's data are kept. Throws when they are being deleted: nothing may come back. */
export async function retentionDays(db: Database, tenantId: string): Promise<number> {
  const { rows } = await db.query<{ days: number }>(
    `select retention_days as days from tenants where id = $1 and state <> 'deleting'`,
    [tenantId],
  )
  const [row] = rows
  if (row === undefined) throw new UsageError('The tenant is being deleted: there is nothing to rebuild.')
  return row.days
}

/** A metric and where its series stood: its newest timestamp, and when that was received. Epoch ms. */
export interface Frontier {
  metricId: string
  lastTs: number
  lastArrival: number
}

/**
 * The metrics that hold datapoints from `from` on, at most `limit` of those after `after`, by id. Series send in
 * order, so the window that was newest tells when the series was last heard of.
 */
export async function selectFrontiers(
  db: Database,
  { tenantId, from, after, limit }: { tenantId: string; from: number; after: string; limit: number },
): Promise<Frontier[]> {
  const { rows } = await db.query<Frontier>(
    `select m.id as "metricId", (extract(epoch from newest.ts) * 1000)::float8 as "lastTs",
       (heard.version / 1024)::float8 as "lastArrival"
     from metrics m
       cross join lateral (select max(ts) as ts from datapoints
         where tenant_id = m.tenant_id and metric_id = m.id) newest
       cross join lateral (select max(version) as version from datapoints
         where tenant_id = m.tenant_id and metric_id = m.id and ts > newest.ts - interval '300 s') heard
     where m.tenant_id = $1 and m.id > $2 and newest.ts >= $3
     order by m.id limit $4`,
    [tenantId, after, instant(from), limit],
  )
  return rows
}

/** A row of `window_aggregates` without its order statistics. */
export interface WindowRow extends Omit<WindowPart, 'median' | 'mad' | 'sketch'> {
  superseded: number | null
}

/** The rows of the windows `from <= window_start <= to`, in the order of their keys. */
export async function selectWindowRows(
  db: Database,
  { tenantId, metricId, from, to }: { tenantId: string; metricId: string; from: number; to: number },
): Promise<WindowRow[]> {
  const { rows } = await db.query<WindowRow>(
    `select (extract(epoch from window_start) * 1000)::float8 as "windowStart", count, mean, m2, min, max,
       (extract(epoch from first_ts) * 1000)::float8 as "firstTs",
       (extract(epoch from last_ts) * 1000)::float8 as "lastTs", superseded
     from window_aggregates
     where tenant_id = $1 and metric_id = $2 and window_start between $3 and $4
     order by window_start, shard, part`,
    [tenantId, metricId, instant(from), instant(to)],
  )
  return rows
}

export type SupersedingRow = WindowPart & { superseded: number }

/** Writes the rows that supersede windows, over those from before. */
export async function upsertSuperseding(
  db: Database,
  { tenantId, metricId }: { tenantId: string; metricId: string },
  rows: SupersedingRow[],
): Promise<void> {
  const column = (name: Exclude<keyof SupersedingRow, 'sketch'>) => arrayText(rows.map((row) => row[name]))
  const numbers = ['mean', 'm2', 'min', 'max', 'median', 'mad'] as const
  await db.query(
    `insert into window_aggregates as w (tenant_id, metric_id, window_start, shard, part, count, mean, m2, min, max,
       median, mad, first_ts, last_ts, sketch, superseded, revision)
     select $1, $2, ${TO_INSTANT('s.window_start')}, ${SUPERSEDING_SHARD}, 0, s.count, s.mean, s.m2, s.min, s.max,
       s.median, s.mad, ${TO_INSTANT('s.first_ts')}, ${TO_INSTANT('s.last_ts')}, '', s.superseded, 1
     from unnest($3::int8[], $4::int4[], $5::int4[], $6::int8[], $7::int8[], $8::float8[], $9::float8[], $10::float8[],
       $11::float8[], $12::float8[], $13::float8[])
       as s (window_start, count, superseded, first_ts, last_ts, mean, m2, min, max, median, mad)
     order by s.window_start
     on conflict (tenant_id, metric_id, window_start, shard, part) do update
       set count = excluded.count, mean = excluded.mean, m2 = excluded.m2, min = excluded.min, max = excluded.max,
         median = excluded.median, mad = excluded.mad, first_ts = excluded.first_ts, last_ts = excluded.last_ts,
         superseded = excluded.superseded, revision = w.revision + 1, created_at = now()`,
    [
      tenantId,
      metricId,
      ...(['windowStart', 'count', 'superseded', 'firstTs', 'lastTs', ...numbers] as const).map(column),
    ],
  )
}
