import * as v from 'valibot'
import type { Verdict } from '../../durable-objects/tenant-shard.ts'
import type { Columns } from '../../telemetry/columns.ts'
import { parseJsonBatch } from '../../telemetry/json-batch.ts'
import { unpackRejections } from '../../telemetry/rejection.ts'
import { metadataOf } from '../ingest/archive.ts'
import { inflate } from '../ingest/read-body.ts'
import { acceptedColumns } from '../ingest/verdict.ts'
import { PoisonError } from './settle-failure.ts'

export const BatchMessage = v.object({ tenant_id: v.string(), batch_id: v.string(), r2_key: v.string() })
export type BatchMessage = v.InferOutput<typeof BatchMessage>

/** A batch as its 202 counted it, ready to be stored. */
export interface LoadedBatch {
  batchId: string
  r2Key: string
  shard: number
  receivedAt: number
  rejected: number
  columns: Columns
}

/**
 * Reads a batch from the archive and applies the verdict of the shard that accepted it, so that what is stored
 * is what the 202 said. Throws a PoisonError when the archive or the shard does not know it, or the two disagree.
 */
export async function loadBatch(message: BatchMessage, env: Env): Promise<LoadedBatch> {
  const object = await env.ARCHIVE.get(message.r2_key)
  if (object === null) throw new PoisonError('the archive does not hold the batch')
  const { home_shard: shard } = metadataOf(object)
  const stub = env.TENANT_SHARD.getByName(`${message.tenant_id}/${shard}`)
  const [bytes, [verdict]] = await Promise.all([object.bytes(), stub.verdicts([message.batch_id])])
  if (verdict === undefined) throw new PoisonError('the shard never accepted the batch')
  return {
    batchId: message.batch_id,
    r2Key: message.r2_key,
    shard,
    receivedAt: verdict.receivedAt,
    rejected: verdict.rejected.length,
    columns: await settledColumns(bytes, object.httpMetadata?.contentEncoding === 'gzip', verdict),
  }
}

async function settledColumns(bytes: Uint8Array, gzipped: boolean, verdict: Verdict): Promise<Columns> {
  const plain = gzipped ? await inflate(Uint8Array.from(bytes)) : bytes
  const batch = parseJsonBatch(new TextDecoder().decode(plain))
  const columns = acceptedColumns(batch, unpackRejections(verdict.rejected))
  if (columns.ts.length === verdict.datapoints) return columns
  throw new PoisonError(
    `the archive holds ${columns.ts.length} datapoints, ${verdict.datapoints} were accepted`,
  )
}
