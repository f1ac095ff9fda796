import type { Database } from '../database.ts'

export interface TenantRetention {
  tenantId: string
  retentionDays: number
}

export async function selectRetention(db: Database): Promise<TenantRetention[]> {
  const { rows } = await db.query<TenantRetention>(
    'select id as "tenantId", retention_days as "retentionDays" from tenants order by id',
  )
  return rows
}

/** What expires, and by which keys its oldest rows are found. */
const EXPIRING = {
  datapoints: { key: 'metric_id, ts', expired: 'ts < $2' },
  window_aggregates: {
    key: 'metric_id, window_start, shard, part',
    expired: 'window_start < $2',
  },
  anomaly_scores: { key: 'metric_id, window_end', expired: 'window_end <= $2' },
  batches: { key: 'batch_id', expired: 'coalesce(received_at, persisted_at) < $2' },
} as const

export type ExpiringTable = keyof typeof EXPIRING
export const EXPIRING_TABLES: ExpiringTable[] = [
  'datapoints',
  'window_aggregates',
  'anomaly_scores',
  'batches',
]

/** Deletes at most `limit` of the tenant's rows from before `cutoff`; returns how many. */
export async function deleteExpired(
  db: Database,
  table: ExpiringTable,
  expired: { tenantId: string; cutoff: number; limit: number },
): Promise<number> {
  const { key, expired: condition } = EXPIRING[table]
  const { rowCount } = await db.query(
    `delete from ${table} where tenant_id = $1 and (${key}) in (
       select ${key} from ${table} where tenant_id = $1 and ${condition} limit $3)`,
    [expired.tenantId, new Date(expired.cutoff), expired.limit],
  )
  return rowCount ?? 0
}

/** The daily partitions of `datapoints`: their names and days, oldest first. */
export async function selectPartitions(db: Database): Promise<{ name: string; dayStart: number }[]> {
  const { rows } = await db.query<{ name: string; dayStart: number }>(
    `select c.relname as name,
       (extract(epoch from to_date(right(c.relname, 8), 'YYYYMMDD')) * 1000)::float8 as "dayStart"
     from pg_inherits i join pg_class c on c.oid = i.inhrelid
     where i.inhparent = 'datapoints'::regclass and c.relname ~ '^datapoints_[0-9]{8}$'
     order by c.relname`,
  )
  return rows
}

/** Drops one daily partition. Gives up after 5 s rather than holding up the writers behind its lock. */
export async function dropPartition(db: Database, name: string): Promise<void> {
  if (!/^datapoints_[0-9]{8}$/.test(name))
    throw new RangeError(`Cannot drop ${name}: it is no daily partition.`)
  await db.query(`select drop_datapoint_partition(to_date($1, '"datapoints_"YYYYMMDD'))`, [name])
}

/** Makes the daily partitions from `from` to `to` (epoch ms, whole days) that are missing; returns how many. */
export async function ensurePartitions(db: Database, from: number, to: number): Promise<number> {
  const { rows } = await db.query<{ made: number }>('select ensure_datapoint_partitions($1, $2) as made', [
    dayOf(from),
    dayOf(to),
  ])
  return rows[0]!.made
}

const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10)
