import type pg from 'pg'
import { type Database, OPERATOR, scopedDatabase } from '../database.ts'
import {
  deleteExpired,
  dropPartition,
  EXPIRING_TABLES,
  type ExpiringTable,
  ensurePartitions,
  selectPartitions,
  selectRetention,
  type TenantRetention,
} from './retention-sql.ts'

const DAY_MS = 86_400_000

/** Rows a statement: a deletion never holds many locks, and stops between two. */
const CHUNK = 5000

/** Days of partitions that are always ready ahead of time. */
const AHEAD_DAYS = 14

export interface RetentionSummary {
  deleted: Record<ExpiringTable, number>
  partitionsDropped: number
  partitionsMade: number
}

/** Drops what is past each tenant's retention and makes the partitions of the coming days. Repeatable. */
export async function applyRetention(
  pool: pg.Pool,
  now: number,
  stopped: () => boolean = () => false,
): Promise<RetentionSummary> {
  const operator = scopedDatabase(pool, OPERATOR)
  const tenants = await selectRetention(operator)
  const partitionsMade = await ensurePartitions(operator, now, now + AHEAD_DAYS * DAY_MS)
  const partitionsDropped = await dropExpiredPartitions(operator, tenants, now)
  const deleted = { datapoints: 0, window_aggregates: 0, anomaly_scores: 0, batches: 0 }
  for (const { tenantId, retentionDays } of tenants) {
    const cutoff = now - retentionDays * DAY_MS
    const db = scopedDatabase(pool, { tenantId })
    for (const table of EXPIRING_TABLES) {
      for (let count = CHUNK; count === CHUNK && !stopped(); ) {
        count = await deleteExpired(db, table, { tenantId, cutoff, limit: CHUNK })
        deleted[table] += count
      }
    }
  }
  return { deleted, partitionsDropped, partitionsMade }
}

/** A day goes as a whole once it is a day past the longest retention of any tenant. */
async function dropExpiredPartitions(db: Database, tenants: TenantRetention[], now: number): Promise<number> {
  if (tenants.length === 0) return 0
  const longest = Math.max(...tenants.map(({ retentionDays }) => retentionDays))
  const cutoff = now - (longest + 1) * DAY_MS
  const expired = (await selectPartitions(db)).filter(({ dayStart }) => dayStart + DAY_MS <= cutoff)
  for (const { name } of expired) await dropPartition(db, name)
  return expired.length
}
