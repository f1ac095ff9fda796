import * as v from 'valibot'
import type { ShardStatements } from './tenant-shard-sql.ts'

const DAY_MS = 86_400_000
const MAX_AHEAD_MS = 10 * 60_000
/** Rows looked at by one alarm. */
const CHUNK_ROWS = 5_000
const SWEEP_EVERY_MS = DAY_MS
const KEY = 'dedupe'

const Horizon = v.object({
  /** Batches received before this may have been forgotten; null while none has. */
  dedupeSince: v.nullable(v.number()),
  /** The sweep goes through the batches by key; hex of the last one looked at. */
  cursor: v.string(),
  nextSweepAt: v.number(),
})

/** How far back a shard knows the batches it has accepted. */
export type DedupeHorizon = v.InferOutput<typeof Horizon>

export function readHorizon(db: ShardStatements): DedupeHorizon {
  const stored = db.meta(KEY)
  if (stored === undefined) return { dedupeSince: null, cursor: '', nextSweepAt: 0 }
  return v.parse(Horizon, JSON.parse(stored))
}

/**
 * Datapoints before this are too old. A batch that has been forgotten was received before `dedupeSince`, so
 * its datapoints are older than that plus the ten minutes a clock may run ahead: sent again it has no effect,
 * also after the retention was raised.
 */
export function oldestTimestamp(horizon: DedupeHorizon, retentionDays: number, receivedAt: number): number {
  const retained = receivedAt - retentionDays * DAY_MS
  return horizon.dedupeSince === null ? retained : Math.max(retained, horizon.dedupeSince + MAX_AHEAD_MS)
}

/**
 * Forgets settled batches received more than retention + 1 day ago, a chunk a call, inside one
 * `transactionSync`. Goes through all rows once a day: cheaper than an index, which every batch would pay for.
 */
export function sweepBatches(
  db: ShardStatements,
  horizon: DedupeHorizon,
  retentionDays: number,
  now: number,
): DedupeHorizon {
  const cutoff = now - (retentionDays + 1) * DAY_MS
  const rows = db.batchesAfter(new Uint8Array(Buffer.from(horizon.cursor, 'hex')).buffer, CHUNK_ROWS)
  const old = rows.filter(({ received_at, settled }) => settled === 1 && received_at < cutoff)
  for (const { id } of old) db.removeBatch(id)
  const done = rows.length < CHUNK_ROWS
  const next = {
    dedupeSince: old.length === 0 ? horizon.dedupeSince : Math.max(horizon.dedupeSince ?? 0, cutoff),
    cursor: done ? '' : Buffer.from(rows.at(-1)!.id).toString('hex'),
    nextSweepAt: done ? now + SWEEP_EVERY_MS : now,
  }
  db.setMeta(KEY, JSON.stringify(next))
  return next
}
