import { backoffMs } from './backoff.ts'
import type { ShardStatements } from './tenant-shard-sql.ts'

const RESEND_CAP_MS = 600_000
/** Messages sent again by one alarm; what else is due follows with the next. */
const RESEND_LIMIT = 100

export interface OutboxDeps {
  db: ShardStatements
  resendAfterMs: number
  random: () => number
  sendBatches(batchIds: string[]): Promise<void>
  sendFlushes(flushIds: number[]): Promise<void>
}

/**
 * Sends again what nobody has acknowledged in time. A row is postponed before it is sent: should the queue
 * refuse, it comes again after the backoff, and never faster.
 */
export async function drainOutbox(
  { db, resendAfterMs, random, ...queues }: OutboxDeps,
  now: number,
): Promise<void> {
  const again = (attempts: number) => now + backoffMs(attempts + 1, resendAfterMs, RESEND_CAP_MS, random)
  const batches = db.dueOutbox(now, RESEND_LIMIT)
  const flushes = db.dueFlushes(now, RESEND_LIMIT)
  for (const { id, attempts } of batches) db.postponeOutbox(id, again(attempts))
  for (const { id, attempts } of flushes) db.postponeFlush(id, again(attempts))
  const sends = [
    ...(batches.length > 0 ? [queues.sendBatches(batches.map(({ batch_id }) => batch_id))] : []),
    ...(flushes.length > 0 ? [queues.sendFlushes(flushes.map(({ id }) => id))] : []),
  ]
  const failed = (await Promise.allSettled(sends)).find((result) => result.status === 'rejected')
  if (failed) throw failed.reason
}
