import { createHash } from 'node:crypto'
import type { AdmitReply, AdmitRequest } from '../../durable-objects/admission.ts'
import { archiveKeyOf } from '../../telemetry/archived-batch.ts'
import { type BatchFormat, ownBatchId } from '../../telemetry/batch-format.ts'
import { BatchRefusal } from '../../telemetry/batch-refusal.ts'
import type { ParsedBatch } from '../../telemetry/parsed-batch.ts'
import type { ParsedKey } from '../api-key.ts'
import { Problem, unavailable } from '../problem.ts'
import { retryOnce } from '../retry-once.ts'
import { refusal } from '../tenant-auth.ts'
import { withinDeadline } from '../within-deadline.ts'
import { archiveBatch } from './archive.ts'
import { conflict, nothingAccepted, rateLimited } from './batch-problems.ts'
import { homeShardOf } from './home-shard.ts'
import type { Body } from './read-body.ts'
import type { ShardHint } from './shard-hint.ts'
import { judgeBatch } from './verdict.ts'

/** Archive and objects have this long together: a passing fault is answered within 10 s of the body's end. */
const DEADLINE_MS = 7_000

export interface IngestDeps {
  env: Env
  key: ParsedKey
  /** Of the request, 32 hexadecimal digits. */
  traceId: string
  shardHint: ShardHint
  now: () => number
  random: () => number
  uuid: () => string
}

export interface Accepted {
  batch: ParsedBatch
  batchId: string
  reply: Exclude<AdmitReply, { outcome: 'refused' | 'busy' }>
}

/**
 * Parses, archives and admits one batch, in this order, so that what is accepted is durable. Throws a Problem
 * for everything else.
 */
export async function acceptBatch(deps: IngestDeps, body: Body, format: BatchFormat): Promise<Accepted> {
  const receivedAt = deps.now()
  const left = () => Math.max(1, receivedAt + DEADLINE_MS - deps.now())
  const sha256 = createHash('sha256').update(body.plain).digest()
  const batch = parse(format, body.plain, receivedAt)
  const batchId = batch.batchId ?? ownBatchId(format, batch, sha256.toString('hex'), deps.uuid)
  const { columns, rejected } = judgeBatch(batch, receivedAt)
  if (columns.ts.length === 0) throw nothingAccepted(batch, rejected)
  const { archived, metadata } = await withinDeadline(
    archive(deps, body, { batch, batchId, sha256, receivedAt }, format),
    left(),
  )
  const shardName = `${deps.key.tenantId}/${metadata.home_shard}`
  if (metadata.sha256 !== sha256.toString('hex')) throw await contested(deps, shardName, batchId, left())
  const request = {
    ...{ keyHash: deps.key.hash, batchId, sha256: new Uint8Array(sha256).buffer, archived, receivedAt },
    ...{ bytes: body.wire.length, columns, rejected, traceId: bytesOf(deps.traceId) },
  }
  const reply = await withinDeadline(
    retryOnce(() => admit(deps, shardName, request), deps.random),
    left(),
  )
  if (reply.shards !== undefined) deps.shardHint.set(deps.key.tenantId, reply.shards, deps.now())
  if (reply.outcome === 'busy') throw unavailable()
  if (reply.outcome !== 'refused') return { batch, batchId, reply }
  if (reply.code === 'no_datapoint_accepted') throw nothingAccepted(batch, reply.rejected)
  if (reply.code === 'rate_limited') throw rateLimited(reply.waitMs)
  throw reply.code === 'batch_conflict' ? conflict() : refusal(reply.code)
}

const bytesOf = (hex: string) => Uint8Array.from(Buffer.from(hex, 'hex')).buffer

function parse(format: BatchFormat, plain: Uint8Array, receivedAt: number): ParsedBatch {
  try {
    return format.parse(plain, receivedAt)
  } catch (error) {
    if (error instanceof BatchRefusal) throw new Problem(error.code, error.message, { errors: error.faults })
    throw error
  }
}

async function archive(
  deps: IngestDeps,
  body: Body,
  sent: { batch: ParsedBatch; batchId: string; sha256: Buffer; receivedAt: number },
  format: BatchFormat,
) {
  const key = archiveKeyOf(deps.key.tenantId, sent.batchId)
  const metadata = {
    sha256: sent.sha256.toString('hex'),
    home_shard: homeShardOf(sent.batch, await shardCount(deps)),
    received_at: new Date(sent.receivedAt).toISOString(),
  }
  return archiveBatch(deps.env.ARCHIVE, key, body, metadata, format)
}

async function shardCount({ env, key, shardHint, now }: IngestDeps): Promise<number> {
  const believed = shardHint.get(key.tenantId, now())
  if (believed !== undefined) return believed
  const tenant = await env.TENANT_CONTROL.getByName(key.tenantId).describe()
  if (tenant === undefined || tenant.state === 'deleting') throw refusal('invalid_api_key')
  shardHint.set(key.tenantId, tenant.plan.shards, now())
  return tenant.plan.shards
}

/** The archive holds other bytes under this batch_id: a conflict only if those were ever accepted. */
async function contested(
  { env, key }: IngestDeps,
  shardName: string,
  batchId: string,
  ms: number,
): Promise<Problem> {
  const verdict = await withinDeadline(env.TENANT_SHARD.getByName(shardName).contest(key.hash, batchId), ms)
  if (verdict === 'busy') return unavailable()
  return verdict === 'batch_conflict' ? conflict() : refusal(verdict)
}

async function admit({ env }: IngestDeps, shardName: string, request: AdmitRequest): Promise<AdmitReply> {
  return await env.TENANT_SHARD.getByName(shardName).admit(request)
}
