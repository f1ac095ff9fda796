import { createHash } from 'node:crypto'
import * as v from 'valibot'
import type { Verdict } from '../../durable-objects/batch-record.ts'
import { acceptedColumns } from '../../telemetry/accepted-columns.ts'
import { type BatchFormat, formatOf } from '../../telemetry/batch-format.ts'
import type { LoadedBatch } from '../../telemetry/batch-rows.ts'
import { unpackRejections } from '../../telemetry/rejection.ts'
import { metadataOf } from '../ingest/archive.ts'
import { inflate, MAX_WIRE_BYTES } from '../ingest/read-body.ts'
import { PoisonError } from './settle-failure.ts'

export const BatchMessage = v.object({ tenant_id: v.string(), batch_id: v.string(), r2_key: v.string() })
export type BatchMessage = v.InferOutput<typeof BatchMessage>

export const NOT_ARCHIVED = 'the archive does not hold the batch'

/** A batch as the archive holds it, and what its shard decided on it. */
export interface ReadBatch {
  message: BatchMessage
  shard: number
  verdict: Verdict
  /** As sent: at most MAX_WIRE_BYTES. */
  wire: Uint8Array
  gzipped: boolean
  format: BatchFormat
}

/**
 * Reads a batch from the archive; 'persisted' when the shard knows that it is stored. Throws a PoisonError when
 * the archive or the shard does not know it.
 */
export async function readBatch(message: BatchMessage, env: Env): Promise<ReadBatch | 'persisted'> {
  const object = await env.ARCHIVE.get(message.r2_key)
  if (object === null) throw new PoisonError(NOT_ARCHIVED)
  const metadata = metadataOf(object)
  const shard = metadata.home_shard
  const stub = env.TENANT_SHARD.getByName(`${message.tenant_id}/${shard}`)
  const [verdict] = await stub.verdicts([message.batch_id])
  if (verdict === undefined || verdict.persistedAt !== null || object.size > MAX_WIRE_BYTES) {
    await object.body.cancel() // an unread body would hold its connection
    if (verdict === undefined) throw new PoisonError('the shard never accepted the batch')
    if (verdict.persistedAt !== null) return 'persisted'
    throw new PoisonError(`the archive holds ${object.size} bytes, more than a batch can have`)
  }
  const wire = await object.bytes()
  const gzipped = object.httpMetadata?.contentEncoding === 'gzip'
  return { message, shard, verdict, wire, gzipped, format: formatOf(metadata) }
}

/**
 * Parses what was read and applies the verdict, so that what is stored is what the 202 said. Throws a
 * PoisonError when archive and shard disagree. One call at a time: it may hold some 16 MiB several times over.
 */
export async function settleBatch({
  message,
  shard,
  verdict,
  wire,
  gzipped,
  format,
}: ReadBatch): Promise<LoadedBatch> {
  const plain = gzipped ? await inflate(Uint8Array.from(wire)) : wire
  if (createHash('sha256').update(plain).digest('hex') !== verdict.sha256) {
    throw new PoisonError('the archive holds other content than what was accepted')
  }
  const batch = format.parse(plain, verdict.receivedAt)
  const columns = acceptedColumns(batch, unpackRejections(verdict.rejected))
  if (columns.ts.length !== verdict.datapoints) {
    throw new PoisonError(
      `the archive holds ${columns.ts.length} datapoints, ${verdict.datapoints} were accepted`,
    )
  }
  return {
    batchId: message.batch_id,
    r2Key: message.r2_key,
    shard,
    receivedAt: verdict.receivedAt,
    rejected: verdict.rejected.length,
    columns,
  }
}
