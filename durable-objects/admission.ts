import { createHash } from 'node:crypto'
import { type Columns, dropOlder } from '../telemetry/columns.ts'
import { packRejections, unpackRejections } from '../telemetry/rejection.ts'
import { splitBytes } from './byte-pieces.ts'
import { encodeColumns } from './columns-frame.ts'
import { type Authorization, authorize, type TenantConfig } from './tenant-config.ts'
import type { BatchRow, ShardStatements } from './tenant-shard-sql.ts'

const DAY_MS = 86_400_000

/** One batch that the Worker has parsed and archived. */
export interface AdmitRequest {
  keyHash: string
  batchId: string
  /** Of the decompressed body, 32 bytes. */
  sha256: ArrayBuffer
  /** Whether this request wrote the archive object or found it there. */
  archived: 'stored' | 'found'
  receivedAt: number
  /** On the wire. */
  bytes: number
  columns: Columns
  /** Datapoints the Worker already rejected, packed. */
  rejected: Uint32Array
}

/** What a 202 says of a batch, and a later 200 says again. */
export interface BatchFigures {
  datapoints: number
  series: number
  /** All rejected datapoints, packed. */
  rejected: Uint32Array
  receivedAt: number
}

export type AdmitReply =
  | { outcome: 'accepted' | 'duplicate'; figures: BatchFigures }
  | { outcome: 'refused'; code: Exclude<Authorization, 'ok'> | 'batch_conflict' }
  | { outcome: 'refused'; code: 'no_datapoint_accepted'; rejected: Uint32Array }
  /** The same batch_id is being settled by another request: try again. */
  | { outcome: 'busy' }

export type Admission = { reply: AdmitReply; columns?: Columns }

/** The key a batch has in the object: 16 bytes of the SHA-256 of its id. */
export function batchKeyOf(batchId: string): ArrayBuffer {
  return new Uint8Array(createHash('sha256').update(batchId).digest().subarray(0, 16)).buffer
}

/** UTC day, `YYYY-MM-DD`. */
export const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10)

/**
 * Decides on one batch and writes all its effects; to be called inside one `transactionSync`. `columns` is
 * given back for an accepted batch, without what the tenant's retention rejects. Writes for a new batch: its
 * row, its journal (more than one row only above 1.9 MB), its outbox row, the day's usage; for a duplicate
 * the usage alone.
 */
export function admit(
  db: ShardStatements,
  config: TenantConfig,
  request: AdmitRequest,
  timing: { now: number; resendAfterMs: number },
): Admission {
  const authorization = authorize(config, request.keyHash, ['ingest'], timing.now)
  if (authorization !== 'ok') return { reply: { outcome: 'refused', code: authorization } }
  const id = batchKeyOf(request.batchId)
  const known = db.batch(id)
  if (known) return { reply: repeat(db, known, request) }

  const minTs = request.receivedAt - config.plan.retentionDays * DAY_MS
  const { columns, dropped } = dropOlder(request.columns, minTs)
  const tooOld = dropped.map((ordinal) => ({ ordinal, code: 'timestamp_too_old' as const }))
  const rejected = packRejections([...unpackRejections(request.rejected), ...tooOld])
  if (columns.ts.length === 0) {
    return { reply: { outcome: 'refused', code: 'no_datapoint_accepted', rejected } }
  }
  const figures = {
    datapoints: columns.ts.length,
    series: columns.series.length,
    rejected,
    receivedAt: request.receivedAt,
  }
  write(db, id, request, columns, figures, timing.now + timing.resendAfterMs)
  return { reply: { outcome: 'accepted', figures }, columns }
}

function repeat(db: ShardStatements, known: BatchRow, request: AdmitRequest): AdmitReply {
  if (!sameBytes(known.sha256, request.sha256)) return { outcome: 'refused', code: 'batch_conflict' }
  const day = dayOf(request.receivedAt)
  db.addUsage(day, { batches: 0, datapoints: 0, bytes: 0, duplicates: 1, rejected: 0 })
  return { outcome: 'duplicate', figures: figuresOf(known) }
}

export function figuresOf(row: BatchRow): BatchFigures {
  return {
    datapoints: row.datapoints,
    series: row.series,
    rejected: new Uint32Array(row.rejected ?? new ArrayBuffer()),
    receivedAt: row.received_at,
  }
}

function write(
  db: ShardStatements,
  id: ArrayBuffer,
  request: AdmitRequest,
  columns: Columns,
  figures: BatchFigures & { rejected: Uint32Array<ArrayBuffer> },
  nextSendAt: number,
): void {
  const { receivedAt, datapoints, series, rejected } = figures
  db.addBatch(id, {
    sha256: request.sha256,
    received_at: receivedAt,
    datapoints,
    series,
    rejected: rejected.length === 0 ? null : rejected.buffer,
  })
  const pieces = splitBytes(encodeColumns(columns))
  pieces.forEach((piece, i) => {
    db.addJournal(receivedAt, i === pieces.length - 1, piece)
  })
  db.addOutbox(id, request.batchId, nextSendAt)
  const counts = { batches: 1, datapoints, bytes: request.bytes, duplicates: 0, rejected: rejected.length }
  db.addUsage(dayOf(receivedAt), counts)
}

function sameBytes(a: ArrayBuffer, b: ArrayBuffer): boolean {
  const left = new Uint8Array(a)
  const right = new Uint8Array(b)
  return left.length === right.length && left.every((byte, i) => byte === right[i])
}
