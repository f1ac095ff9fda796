import { createHash } from 'node:crypto'
import * as v from 'valibot'
import type { Verdict } from '../../durable-objects/batch-record.ts'
import { acceptedColumns } from '../../telemetry/accepted-columns.ts'
import { type BatchFormat, formatOf } from '../../telemetry/batch-format.ts'
import type { LoadedBatch } from '../../telemetry/batch-rows.ts'
import type { Columns } from '../../telemetry/columns.ts'
import { unpackRejections } from '../../telemetry/rejection.ts'
import { metadataOf } from '../ingest/archive.ts'
import { inflate, MAX_INFLATED_BYTES, MAX_WIRE_BYTES } from '../ingest/read-body.ts'
import { ByteGate } from './byte-gate.ts'
import { PoisonError } from './settle-failure.ts'

export const BatchMessage = v.object({ tenant_id: v.string(), batch_id: v.string(), r2_key: v.string() })
export type BatchMessage = v.InferOutput<typeof BatchMessage>

export const NOT_ARCHIVED = 'the archive does not hold the batch'

/** Bounds what batches hold while they are read: 16 MiB as sent, and one that is inflated with twice as much. */
export interface ReadLimits {
  wire: ByteGate
  inflating: ByteGate
}

export const readLimits = (): ReadLimits => ({
  ...{ wire: new ByteGate(2 * MAX_WIRE_BYTES), inflating: new ByteGate(MAX_INFLATED_BYTES) },
})

/**
 * Reads a batch from the archive and applies its shard's verdict, so that what is stored is what the 202 said;
 * 'persisted' when the shard knows that it is stored. Throws a PoisonError when archive or shard do not know it, or
 * disagree.
 */
export async function loadBatch(
  message: BatchMessage,
  limits: ReadLimits,
  env: Env,
): Promise<LoadedBatch | 'persisted'> {
  const object = await env.ARCHIVE.get(message.r2_key)
  if (object === null) throw new PoisonError(NOT_ARCHIVED)
  const metadata = metadataOf(object)
  const shard = metadata.home_shard
  const verdict = await verdictOn(message, shard, object, env)
  if (verdict === 'persisted') return verdict
  const columns = await limits.wire.within(object.size, async () => {
    const wire = await object.bytes()
    if (object.httpMetadata?.contentEncoding !== 'gzip') return columnsOf(wire, formatOf(metadata), verdict)
    return limits.inflating.within(MAX_INFLATED_BYTES, async () => {
      return columnsOf(await inflate(Uint8Array.from(wire)), formatOf(metadata), verdict)
    })
  })
  const { receivedAt, rejected, traceId } = verdict
  const { batch_id: batchId, r2_key: r2Key } = message
  return { batchId, r2Key, shard, receivedAt, rejected: rejected.length, columns, traceId }
}

async function verdictOn(
  message: BatchMessage,
  shard: number,
  object: R2ObjectBody,
  env: Env,
): Promise<Verdict | 'persisted'> {
  const stub = env.TENANT_SHARD.getByName(`${message.tenant_id}/${shard}`)
  const [verdict] = await stub.verdicts([message.batch_id])
  if (verdict !== undefined && verdict.persistedAt === null && object.size <= MAX_WIRE_BYTES) return verdict
  await object.body.cancel() // an unread body would hold its connection
  if (verdict === undefined) throw new PoisonError('the shard never accepted the batch')
  if (verdict.persistedAt !== null) return 'persisted'
  throw new PoisonError(`the archive holds ${object.size} bytes, more than a batch can have`)
}

function columnsOf(plain: Uint8Array, format: BatchFormat, verdict: Verdict): Columns {
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
  return columns
}
