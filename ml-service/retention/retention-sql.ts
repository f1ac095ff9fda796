import {
  ALERT_DAYS,
  batchesKnownFrom,
  DAY_MS,
  DELIVERY_DAYS,
  dataKeptFrom,
  FOREIGN_LETTER_DAYS,
  USAGE_DAYS,
} from '../../telemetry/retention-periods.ts'
import { WINDOW_MS } from '../../telemetry/window.ts'
import { type Database, instant } from '../database.ts'

export interface TenantRetention {
  tenantId: string
  retentionDays: number
}

/** Of tenants that are being deleted nothing need be kept, and their rows go otherwise. */
export async function selectRetention(db: Database): Promise<TenantRetention[]> {
  const { rows } = await db.query<TenantRetention>(
    `select id as "tenantId", retention_days as "retentionDays" from tenants where state <> 'deleting' order by id`,
  )
  return rows
}

interface Expiry {
  /** The column that ages; an index on (tenant_id, it) where the table is large. */
  at: string
  /** Rows that may go; all, unless it says otherwise. */
  among?: string
  keptFrom: (retentionDays: number, now: number) => number
}

const after =
  (days: number): Expiry['keptFrom'] =>
  (_, now) =>
    now - days * DAY_MS

/** What expires by rows; days of datapoints go as a whole where they can. */
const EXPIRING = {
  window_aggregates: { at: 'window_start', keptFrom: dataKeptFrom },
  anomaly_scores: { at: 'window_end', keptFrom: (days, now) => dataKeptFrom(days, now) + WINDOW_MS },
  batches: { at: 'received_at', keptFrom: batchesKnownFrom },
  alert_events: { at: 'opened_at', among: `state = 'resolved'`, keptFrom: after(ALERT_DAYS) },
  webhook_deliveries: { at: 'created_at', among: `state <> 'pending'`, keptFrom: after(DELIVERY_DAYS) },
  usage_daily: { at: 'day', keptFrom: after(USAGE_DAYS) },
} as const satisfies Record<string, Expiry>

export type ExpiringTable = keyof typeof EXPIRING
export const EXPIRING_TABLES = Object.keys(EXPIRING) as ExpiringTable[]

/** How far a deletion has come: how many rows went, and the age from which the next piece goes on. */
export interface Piece {
  deleted: number
  last: string | null
}

/**
 * Deletes at most `limit` of what the tenant need not keep at `now`, the oldest first, from age `from` on; nothing
 * once the tenant keeps its data longer. Rows that a writer holds are passed over: they are for the next run.
 */
export async function deleteExpired(
  db: Database,
  table: ExpiringTable,
  { tenantId, retentionDays }: TenantRetention,
  { now, from, limit }: { now: number; from: string; limit: number },
): Promise<Piece> {
  const { at, keptFrom, among = 'true' }: Expiry = EXPIRING[table]
  const { rows } = await db.query<Piece>(
    `with doomed as (
       select ctid, ${at} as at from ${table}
       where tenant_id = $1 and ${at} >= $2 and ${at} < $3 and ${among} and ${KEEPS_NO_LONGER}
       order by ${at} limit $5 for update skip locked),
     gone as (delete from ${table} where tenant_id = $1 and ctid = any (array(select ctid from doomed)) returning 1)
     select (select count(*)::int from gone) as deleted, (select max(at)::text from doomed) as last`,
    [tenantId, from, instant(keptFrom(retentionDays, now)), retentionDays, limit],
  )
  return rows[0]!
}

/** A run takes a while: a tenant may want to keep more before it comes to its rows. */
const KEEPS_NO_LONGER = 'exists (select from tenants where id = $1 and retention_days <= $4)'

/** Deletes at most `limit` messages that failed for good, with the marks of their batches; returns how many. */
export async function deleteOldLetters(
  db: Database,
  { tenantId, retentionDays }: TenantRetention,
  { now, limit }: { now: number; limit: number },
): Promise<number> {
  const { rowCount } = await db.query(
    `with doomed as (
       select id, body->>'batch_id' as batch_id from dead_letters
       where tenant_id = $1 and created_at < $2 and ${KEEPS_NO_LONGER} limit $3 for update skip locked),
     marks as (delete from batches using doomed
       where batches.tenant_id = $1 and batches.batch_id = doomed.batch_id and status = 'failed')
     delete from dead_letters where tenant_id = $1 and id in (select id from doomed)`,
    [tenantId, instant(batchesKnownFrom(retentionDays, now)), limit, retentionDays],
  )
  return rowCount ?? 0
}

/** The same for messages that name no tenant: nobody could read them. */
export async function deleteForeignLetters(db: Database, now: number, limit: number): Promise<number> {
  const { rowCount } = await db.query(
    `delete from dead_letters where id in (
       select id from dead_letters where tenant_id is null and created_at < $1 limit $2)`,
    [instant(now - FOREIGN_LETTER_DAYS * DAY_MS), limit],
  )
  return rowCount ?? 0
}

/** A daily partition of `datapoints`, by the start of its day in epoch ms; undefined: the default partition. */
export type Day = number | undefined

/** The daily partitions, oldest first. */
export async function selectDays(db: Database): Promise<number[]> {
  const { rows } = await db.query<{ day: number }>(
    `select (extract(epoch from to_date(right(c.relname, 8), 'YYYYMMDD')) * 1000)::float8 as day
     from pg_inherits i join pg_class c on c.oid = i.inhrelid
     where i.inhparent = 'datapoints'::regclass and c.relname ~ '^datapoints_[0-9]{8}$'
     order by c.relname`,
  )
  return rows.map(({ day }) => day)
}

/** Whose datapoints a partition holds. */
export async function selectTenantsOf(db: Database, day: Day): Promise<string[]> {
  const { rows } = await db.query<{ tenantId: string }>('select datapoint_tenants($1) as "tenantId"', [
    dateOf(day),
  ])
  return rows.map(({ tenantId }) => tenantId)
}

export interface DatapointKey {
  metricId: string
  ts: string
}

/** Deletes at most `limit` of a tenant's datapoints before `until` from one partition, in order of their keys. */
export async function deleteDatapoints(
  db: Database,
  day: Day,
  of: {
    tenantId: string
    retentionDays: number | undefined
    until: number
    after: DatapointKey
    limit: number
  },
): Promise<{ deleted: number; last: DatapointKey | undefined }> {
  const { rows } = await db.query<{ deleted: number; metricId: string | null; ts: string }>(
    `select deleted, last_metric as "metricId", last_ts::text as ts
     from delete_expired_datapoints($1, $2, $3, $4, $5, $6, $7)`,
    [
      ...[dateOf(day), of.tenantId, of.retentionDays ?? null, instant(of.until)],
      ...[of.after.metricId, of.after.ts, of.limit],
    ],
  )
  const { deleted, metricId, ts } = rows[0]!
  return { deleted, last: metricId === null ? undefined : { metricId, ts } }
}

const flag = async (db: Database, call: string, values: unknown[] = []): Promise<boolean> =>
  (await db.query<{ flag: boolean }>(`select ${call} as flag`, values)).rows[0]!.flag

/** Takes all rows of a day that no tenant keeps at `at`; whether there were any. */
export const emptyDay = (db: Database, day: number, at: number) =>
  flag(db, 'empty_datapoint_day($1, $2)', [dateOf(day), instant(at)])

/** Drops the partition of a day unless a tenant keeps it at `at`. */
export const dropDay = (db: Database, day: number, at: number) =>
  flag(db, 'drop_datapoint_day($1, $2)', [dateOf(day), instant(at)])

/**
 * Makes the daily partitions from `from` to `to` (epoch ms, whole days) that are missing; returns how many. None while
 * the default partition holds more rows than a short lock can move.
 */
export async function ensurePartitions(db: Database, from: number, to: number): Promise<number> {
  const { rows } = await db.query<{ made: number }>('select ensure_datapoint_partitions($1, $2) as made', [
    dateOf(from),
    dateOf(to),
  ])
  return rows[0]!.made
}

/** How many rows the default partition holds, counted to `limit`. */
export async function countDefault(db: Database, limit: number): Promise<number> {
  const { rows } = await db.query<{ count: number }>('select default_partition_rows($1) as count', [limit])
  return rows[0]!.count
}

/** UTC. */
const dateOf = (day: Day) => (day === undefined ? null : new Date(day).toISOString().slice(0, 10))

export const isDefaultMoving = (db: Database) => flag(db, 'is_default_moving()')

/** Begins to move the default partition's rows into days, or goes on with a move that was begun; returns its name. */
export async function beginDefaultMove(db: Database, from: number, to: number): Promise<string> {
  const { rows } = await db.query<{ move: string }>('select begin_default_move($1, $2)::text as move', [
    dateOf(from),
    dateOf(to),
  ])
  return rows[0]!.move
}

export interface DefaultKey extends DatapointKey {
  tenantId: string
}

/** Copies at most `limit` rows behind `after`. */
export async function copyDefault(
  db: Database,
  { tenantId, metricId, ts }: DefaultKey,
  limit: number,
): Promise<{ copied: number; last: DefaultKey | undefined }> {
  const { rows } = await db.query<{ copied: number; tenantId: string | null; metricId: string; ts: string }>(
    `select copied, last_tenant as "tenantId", last_metric as "metricId", last_ts::text as ts
     from copy_default_datapoints($1, $2, $3, $4)`,
    [tenantId, metricId, ts, limit],
  )
  const { copied, ...last } = rows[0]!
  return { copied, last: last.tenantId === null ? undefined : { ...last, tenantId: last.tenantId } }
}

/** Puts the copy in the default partition's place; false: somebody else has. */
export const finishDefaultMove = (db: Database, move: string) => flag(db, 'finish_default_move($1)', [move])
