import { type Columns, dropOlder, dropSeries } from '../telemetry/columns.ts'
import {
  packRejections,
  type Rejection,
  type RejectionCode,
  unpackRejections,
} from '../telemetry/rejection.ts'
import { batchKeyOf } from './batch-key.ts'
import { splitBytes } from './byte-pieces.ts'
import { encodeColumns } from './columns-frame.ts'
import { oldestTimestamp } from './dedupe-horizon.ts'
import { manifestEntry } from './manifest.ts'
import { type Bucket, takeTokens } from './rate-limit.ts'
import { type Authorization, authorize, type TenantConfig } from './tenant-config.ts'
import type { BatchRow, ShardStatements } from './tenant-shard-sql.ts'
import { seriesKey } from './window-state.ts'

/** One batch that the Worker has parsed and archived. */
export interface AdmitRequest {
  keyHash: string
  batchId: string
  /** Of the decompressed body, 32 bytes. */
  sha256: ArrayBuffer
  /** Whether this request wrote the archive object or found it there. */
  archived: 'stored' | 'found'
  receivedAt: number
  /** W3C trace-id of the request, 16 bytes. */
  traceId: ArrayBuffer
  /** On the wire. */
  bytes: number
  columns: Columns
  /** Datapoints the Worker already rejected, packed. */
  rejected: Uint32Array<ArrayBuffer>
}

/** What a 202 says of a batch, and a later 200 says again. */
export interface BatchFigures {
  datapoints: number
  series: number
  /** All rejected datapoints, packed. */
  rejected: Uint32Array
  receivedAt: number
}

export type AdmitReply = Outcome & {
  /** Into how many shards the tenant is divided now: a hint for the next batch's route. */
  shards?: number
}

type Outcome =
  | { outcome: 'accepted' | 'duplicate'; figures: BatchFigures }
  | { outcome: 'refused'; code: Exclude<Authorization, 'ok'> | 'batch_conflict' }
  | { outcome: 'refused'; code: 'no_datapoint_accepted'; rejected: Uint32Array }
  /** The tenant's rate limit: the same batch passes after this time. */
  | { outcome: 'refused'; code: 'rate_limited'; waitMs: number }
  /** The same batch_id is being settled by another request: try again. */
  | { outcome: 'busy' }

export type Admission = { reply: AdmitReply; accepted?: AcceptedBatch; bucket?: Bucket }

/** What a shard's memory has to know of a new batch, once it is committed. */
export interface AcceptedBatch {
  columns: Columns
  newSeries: number[]
  /** Of its last row. */
  journalId: number
}

/** What a batch is judged by. */
export interface Grounds {
  config: TenantConfig
  /** Keys of series that the tenant's limit does not let in. */
  refusedSeries: ReadonlySet<string>
  /** Hashes of series that this batch is the first of, here. */
  newSeries: number[]
  now: number
  resendAfterMs: number
  /** Journal ids ascend for ever, also after rows were cut. */
  nextJournalId: number
  /** The tenant's bucket, where this shard keeps it. */
  bucket: Bucket | undefined
}

/** UTC day, `YYYY-MM-DD`. */
export const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10)

/**
 * Decides on one batch and writes all its effects; to be called inside one `transactionSync`. An accepted batch is
 * given back, without what was rejected. Writes for a new batch: its row, its journal
 * (more than one row only above 1.9 MB), its outbox row, the day's usage, and one row if it brings new series;
 * for a duplicate the usage alone.
 */
export function admit(db: ShardStatements, grounds: Grounds, request: AdmitRequest): Admission {
  const authorization = authorize(grounds.config, request.keyHash, ['ingest'], grounds.now)
  if (authorization !== 'ok') return { reply: { outcome: 'refused', code: authorization } }
  const id = batchKeyOf(request.batchId)
  const known = db.batch(id)
  if (known) return { reply: repeat(db, known, request, grounds.now) }
  const { columns, rejected } = judge(grounds, request)
  if (columns.ts.length === 0) {
    return { reply: { outcome: 'refused', code: 'no_datapoint_accepted', rejected } }
  }
  const limited = takeFrom(grounds, columns.ts.length)
  if (limited !== undefined && limited.waitMs > 0) {
    return { reply: { outcome: 'refused', code: 'rate_limited', waitMs: limited.waitMs } }
  }
  const figures = {
    datapoints: columns.ts.length,
    series: columns.series.length,
    rejected,
    receivedAt: request.receivedAt,
  }
  const journalId = write(db, id, request, columns, figures, grounds)
  const accepted = { columns, newSeries: grounds.newSeries, journalId }
  if (limited === undefined) return { reply: { outcome: 'accepted', figures }, accepted }
  db.setMeta(BUCKET, JSON.stringify(limited.bucket))
  return { reply: { outcome: 'accepted', figures }, accepted, bucket: limited.bucket }
}

/** Where a shard keeps the tenant's bucket, if it has a limit. */
export const BUCKET = 'bucket'

function takeFrom({ bucket, config, now }: Grounds, datapoints: number) {
  const { rateLimit } = config.plan
  return bucket && rateLimit ? takeTokens(bucket, rateLimit, datapoints, now) : undefined
}

/** What the Worker rejected, what is older than the tenant keeps or the shard remembers, what is beyond the limit. */
function judge({ config, refusedSeries }: Grounds, request: AdmitRequest) {
  const as =
    (code: RejectionCode) =>
    (ordinal: number): Rejection => ({ ordinal, code })
  const minTs = oldestTimestamp(config, request.receivedAt)
  const recent = dropOlder(request.columns, minTs)
  const within = dropSeries(
    recent.columns,
    (name) => refusedSeries.size > 0 && refusedSeries.has(seriesKey(name)),
  )
  if (within.columns === request.columns) return { columns: request.columns, rejected: request.rejected }
  const rejected = packRejections([
    ...unpackRejections(request.rejected),
    ...recent.dropped.map(as('timestamp_too_old')),
    ...within.dropped.map(as('series_limit')),
  ])
  return { columns: within.columns, rejected }
}

function repeat(db: ShardStatements, known: BatchRow, request: AdmitRequest, now: number): AdmitReply {
  if (!sameBytes(known.sha256, request.sha256)) return { outcome: 'refused', code: 'batch_conflict' }
  const day = dayOf(request.receivedAt)
  db.addUsage(day, { batches: 0, datapoints: 0, bytes: 0, duplicates: 1, rejected: 0 }, now)
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

/** Returns the id of the last journal row. */
function write(
  db: ShardStatements,
  id: ArrayBuffer,
  request: AdmitRequest,
  columns: Columns,
  figures: BatchFigures & { rejected: Uint32Array<ArrayBuffer> },
  grounds: Grounds,
): number {
  const { receivedAt, datapoints, series, rejected } = figures
  const { sha256, batchId, traceId } = request
  const next_send_at = grounds.now + grounds.resendAfterMs
  const received_at = receivedAt
  const stored = rejected.length === 0 ? null : rejected.buffer
  const told = { rejected: stored, next_send_at, trace_id: traceId }
  db.addBatch(id, { sha256, received_at, datapoints, series, ...told })
  const entry = manifestEntry({ batchId, sha256, receivedAt, columns })
  const pieces = splitBytes(encodeColumns(columns))
  pieces.forEach((bytes, i) => {
    const last = i === pieces.length - 1
    db.addJournal({
      id: grounds.nextJournalId + i,
      arrival_ms: receivedAt,
      entry: last ? entry : null,
      bytes,
    })
  })
  db.addOutbox({ next_send_at, id, batch_id: batchId, received_at, attempts: 0 })
  if (grounds.newSeries.length > 0) db.addSeries(Float64Array.from(grounds.newSeries))
  const counts = { batches: 1, datapoints, bytes: request.bytes, duplicates: 0, rejected: rejected.length }
  db.addUsage(dayOf(receivedAt), counts, grounds.now)
  return grounds.nextJournalId + pieces.length - 1
}

function sameBytes(a: ArrayBuffer, b: ArrayBuffer): boolean {
  const left = new Uint8Array(a)
  const right = new Uint8Array(b)
  return left.length === right.length && left.every((byte, i) => byte === right[i])
}
