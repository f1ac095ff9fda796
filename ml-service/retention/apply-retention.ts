import type pg from 'pg'
import { DAY_MS, PARTITION_DAYS_AHEAD } from '../../telemetry/retention-periods.ts'
import { type Database, OPERATOR, scopedDatabase } from '../database.ts'
import { log } from '../log.ts'
import { type ClearedDays, clearDays, deleteFromDays } from './clear-days.ts'
import { makeDays } from './empty-default.ts'
import {
  deleteExpired,
  deleteForeignLetters,
  deleteOldLetters,
  EXPIRING_TABLES,
  type ExpiringTable,
  selectRetention,
  type TenantRetention,
} from './retention-sql.ts'

/** Rows a statement: a deletion never holds many locks, and stops between two. */
const CHUNK = 5_000

export interface RetentionRun {
  /** For what concerns days and all tenants. */
  db: Database
  /** Every tenant's plan as the run began. */
  tenants: TenantRetention[]
  now: number
  stopped: () => boolean
  /** After each piece of work that changed something. */
  onChunk: () => void
  /** Between tries for a lock: see `despiteLocks`. */
  pausesMs?: readonly number[] | undefined
}

type RetentionOptions = Partial<Pick<RetentionRun, 'stopped' | 'onChunk' | 'pausesMs'>>

type Deleted = Record<ExpiringTable | 'datapoints' | 'dead_letters', number>

export interface RetentionSummary extends ClearedDays {
  deleted: Deleted
  daysMade: number
  /** Days that should have a partition, and got none: their lock was not to be had. */
  daysMissing: number
}

/**
 * Makes the days to come, and removes from Postgres what is past its period: see docs/retention.md. Can be killed at any
 * point and run again, also beside itself.
 */
export async function applyRetention(
  pool: pg.Pool,
  now: number,
  { stopped = () => false, onChunk = () => {}, pausesMs }: RetentionOptions = {},
): Promise<RetentionSummary> {
  const db = scopedDatabase(pool, OPERATOR)
  const tenants = await selectRetention(db)
  const run = { db, tenants, now, stopped, onChunk, pausesMs }
  const longest = Math.max(0, ...tenants.map(({ retentionDays }) => retentionDays))
  const today = Math.floor(now / DAY_MS) * DAY_MS
  const made = await makeDays(run, today - longest * DAY_MS, today + PARTITION_DAYS_AHEAD * DAY_MS)
  const days = await clearDays(run)
  const deleted: Deleted = { ...NOTHING, datapoints: await deleteFromDays(run) }
  for (const tenant of tenants) {
    const ofTenant = await deleteOfTenant(scopedDatabase(pool, tenant), run, tenant)
    for (const [table, count] of entriesOf(ofTenant)) deleted[table] += count
  }
  deleted.dead_letters += await repeated(run, (limit) => deleteForeignLetters(db, now, limit))
  return { deleted, ...made, ...days }
}

const NOTHING: Deleted = {
  ...{ datapoints: 0, window_aggregates: 0, anomaly_scores: 0, batches: 0, alert_events: 0 },
  ...{ webhook_deliveries: 0, usage_daily: 0, dead_letters: 0 },
}

const entriesOf = (deleted: Partial<Deleted>) => Object.entries(deleted) as [keyof Deleted, number][]

async function deleteOfTenant(
  db: Database,
  run: RetentionRun,
  tenant: TenantRetention,
): Promise<Partial<Deleted>> {
  const { now } = run
  const deleted: Partial<Deleted> = {}
  for (const table of EXPIRING_TABLES) {
    let from = '-infinity'
    deleted[table] = await repeated(run, async (limit) => {
      const piece = await deleteExpired(db, table, tenant, { now, from, limit })
      from = piece.last ?? from
      return piece.deleted
    })
  }
  deleted.dead_letters = await repeated(run, (limit) => deleteOldLetters(db, tenant, { now, limit }))
  const gone = entriesOf(deleted).filter(([, count]) => count > 0)
  if (gone.length > 0)
    log('info', 'rows_expired', { tenant_id: tenant.tenantId, deleted: Object.fromEntries(gone) })
  return deleted
}

/** Deletes piece by piece until one is not full; returns how many rows went. */
async function repeated(
  { stopped, onChunk }: RetentionRun,
  deletePiece: (limit: number) => Promise<number>,
): Promise<number> {
  let deleted = 0
  for (let count = CHUNK; count === CHUNK && !stopped(); ) {
    count = await deletePiece(CHUNK)
    deleted += count
    if (count > 0) onChunk()
  }
  return deleted
}
