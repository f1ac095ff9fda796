import { type BatchFigures, figuresOf } from './admission.ts'
import type { BatchRow } from './tenant-shard-sql.ts'

/** What the consumer needs to store a batch as its 202 said. */
export interface Verdict extends BatchFigures {
  batchId: string
  /** Of the decompressed body, hex. */
  sha256: string
  /** Set once Postgres has the batch: another message about it is old news. */
  persistedAt: number | null
  /** W3C trace-id of the request that brought it; null once Postgres has it, and of batches of before. */
  traceId: string | null
}

export function verdictOf(batchId: string, row: BatchRow): Verdict {
  const sha256 = Buffer.from(row.sha256).toString('hex')
  const traceId = row.trace_id && Buffer.from(row.trace_id).toString('hex')
  return { batchId, ...figuresOf(row), sha256, persistedAt: row.persisted_at, traceId }
}

/** A batch as its sender may ask for it. */
export interface BatchStatus {
  status: 'accepted' | 'persisted' | 'failed'
  datapoints: number
  receivedAt: number
  persistedAt: number | null
  error: string | null
}

/** A batch in the outbox is still tried, though an error may be noted that will be shown once it is given up. */
export function statusOf({
  datapoints,
  received_at,
  persisted_at,
  next_send_at,
  error,
}: BatchRow): BatchStatus {
  const isFailed = persisted_at === null && next_send_at === null
  const status = persisted_at !== null ? 'persisted' : isFailed ? 'failed' : 'accepted'
  const told = isFailed ? error : null
  return { status, datapoints, receivedAt: received_at, persistedAt: persisted_at, error: told }
}
