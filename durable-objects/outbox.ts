import { backoffMs } from './backoff.ts'
import { batchKeyOf } from './batch-key.ts'
import type { ShardQueues } from './shard-queues.ts'
import type { ShardStatements } from './tenant-shard-sql.ts'

const RESEND_CAP_MS = 600_000
/** Messages sent again by one alarm; what else is due follows with the next. */
const RESEND_LIMIT = 1000

export interface OutboxDeps extends ShardQueues {
  db: ShardStatements
  /** Runs writes that belong together. */
  transaction<T>(writes: () => T): T
}

interface Timing {
  now: number
  resendAfterMs: number
  random: () => number
}

/**
 * Sends again what nobody has acknowledged in time. A row is postponed before it is sent: should the queue
 * refuse, it comes again after the backoff, and never faster. One queue's outage does not hold up the other.
 */
export async function drainOutbox(deps: OutboxDeps, timing: Timing): Promise<void> {
  const { batches, flushes } = deps.transaction(() => postponeDue(deps.db, timing))
  const sends = [
    ...(batches.length > 0 ? [deps.sendBatches(batches)] : []),
    ...(flushes.length > 0 ? [deps.sendFlushes(flushes)] : []),
  ]
  const failed = (await Promise.allSettled(sends)).find((result) => result.status === 'rejected')
  if (failed) throw failed.reason
}

function postponeDue(db: ShardStatements, { now, resendAfterMs, random }: Timing) {
  const again = (attempts: number) => now + backoffMs(attempts + 1, resendAfterMs, RESEND_CAP_MS, random)
  const batches = db.dueOutbox(now, RESEND_LIMIT)
  const flushes = db.dueFlushes(now, RESEND_LIMIT)
  for (const row of batches) {
    const next_send_at = again(row.attempts)
    db.removeOutbox(row.id, row.next_send_at)
    db.addOutbox({ ...row, next_send_at, attempts: row.attempts + 1 })
    db.setNextSend(row.id, next_send_at)
  }
  for (const { id, attempts } of flushes) db.postponeFlush(id, again(attempts))
  return { batches: batches.map(({ batch_id }) => batch_id), flushes: flushes.map(({ id }) => id) }
}

/** Takes a batch out of the outbox, if it is in it. */
export function removeFromOutbox(db: ShardStatements, id: ArrayBuffer): void {
  const nextSendAt = db.batch(id)?.next_send_at
  if (nextSendAt !== undefined && nextSendAt !== null) db.removeOutbox(id, nextSendAt)
}

/** What became of something that the consumer had given up on, when an operator asked for it again. */
export type Retry = 'sent' | 'stored' | 'unknown'

/**
 * Puts a batch into the outbox as if it had just been accepted, wherever it was before; inside one
 * `transactionSync`. Any number of times: one batch has one row.
 */
export function returnBatch(db: ShardStatements, batchId: string, nextSendAt: number): Retry {
  const id = batchKeyOf(batchId)
  const batch = db.batch(id)
  if (batch === undefined) return 'unknown'
  if (batch.persisted_at !== null) return 'stored'
  removeFromOutbox(db, id)
  const { received_at } = batch
  db.addOutbox({ next_send_at: nextSendAt, id, batch_id: batchId, received_at, attempts: 0 })
  db.setReturned(id, nextSendAt)
  return 'sent'
}

/** Makes a flush due as if it had just been made; one that is no longer here was stored. */
export const returnFlush = (db: ShardStatements, id: number, nextSendAt: number): Retry =>
  db.returnFlush(id, nextSendAt) === 0 ? 'stored' : 'sent'
