import { createHash } from 'node:crypto'
import { type Context, Hono } from 'hono'
import type { AdmitReply, AdmitRequest } from '../../durable-objects/admission.ts'
import { BatchRefusal, MAX_FAULTS } from '../../telemetry/batch-refusal.ts'
import { type JsonBatch, parseJsonBatch } from '../../telemetry/json-batch.ts'
import { unpackRejections } from '../../telemetry/rejection.ts'
import type { ParsedKey } from '../api-key.ts'
import type { AppEnv } from '../app.ts'
import { errorFields, log } from '../log.ts'
import { Problem, unavailable } from '../problem.ts'
import { retryOnce } from '../retry-once.ts'
import { keyOf, refusal } from '../tenant-auth.ts'
import { withinDeadline } from '../within-deadline.ts'
import { archiveBatch, archiveKeyOf } from './archive.ts'
import { homeShardOf } from './home-shard.ts'
import { checkHeaders, readBody } from './read-body.ts'
import { ShardHint } from './shard-hint.ts'
import { judgeBatch, REJECTION_MESSAGES } from './verdict.ts'

const shardHint = new ShardHint()

/** `POST /v1/ingest`: parse, archive, admit, announce. In this order, so that a 202 is durable end to end. */
export const ingestRoute = new Hono<AppEnv>().post('/', async (c) => {
  const key = keyOf(c)
  const prepared = await prepare(c, key).catch(async (error) => {
    await requireIngest(c, key)
    throw error
  })
  const { batch, batchId, shard, ...request } = prepared
  const admission = { ...request, batchId, keyHash: key.hash }
  const reply = await withinDeadline(
    retryOnce(() => admit(c, `${key.tenantId}/${shard}`, admission), Math.random),
  )
  if (reply.shards !== undefined) shardHint.set(key.tenantId, reply.shards, Date.now())
  return settle(c, reply, { tenantId: key.tenantId, batchId, batch })
})

/** What is wrong with a batch is told only to a key that may ingest; `admit` checks that for all others. */
async function requireIngest(c: Context<AppEnv>, { tenantId, hash }: ParsedKey): Promise<void> {
  const control = c.env.TENANT_CONTROL.getByName(tenantId)
  const authorization = await withinDeadline(control.authorize(hash, ['ingest']))
  if (authorization !== 'ok') throw refusal(authorization)
}

interface Prepared extends Omit<AdmitRequest, 'keyHash'> {
  batch: JsonBatch
  shard: number
}

/** All that happens before the shard decides: the batch is read, checked and archived. */
async function prepare(c: Context<AppEnv>, { tenantId }: ParsedKey): Promise<Prepared> {
  const body = await readBody(c.req.raw, checkHeaders(c.req.raw.headers))
  const hash = createHash('sha256').update(body.plain).digest()
  const batch = parse(body.plain)
  const batchId = batch.batchId ?? `sha256-${hash.toString('hex')}`
  const receivedAt = Date.now()
  const { columns, rejected } = judgeBatch(batch, receivedAt)
  if (columns.ts.length === 0) throw nothingAccepted(batch, rejected)
  const { archived, metadata } = await withinDeadline(
    archiveBatch(c.env.ARCHIVE, archiveKeyOf(tenantId, batchId), body, {
      sha256: hash.toString('hex'),
      home_shard: homeShardOf(batch, await shardCount(c, tenantId)),
      received_at: new Date(receivedAt).toISOString(),
    }),
  )
  if (metadata.sha256 !== hash.toString('hex')) throw conflict()
  const sha256 = new Uint8Array(hash).buffer
  const bytes = body.wire.length
  return {
    batch,
    batchId,
    shard: metadata.home_shard,
    sha256,
    archived,
    receivedAt,
    bytes,
    columns,
    rejected,
  }
}

async function shardCount(c: Context<AppEnv>, tenantId: string): Promise<number> {
  const believed = shardHint.get(tenantId, Date.now())
  if (believed !== undefined) return believed
  const tenant = await withinDeadline(c.env.TENANT_CONTROL.getByName(tenantId).describe())
  if (tenant === undefined) throw refusal('invalid_api_key')
  shardHint.set(tenantId, tenant.plan.shards, Date.now())
  return tenant.plan.shards
}

function parse(plain: Uint8Array): JsonBatch {
  try {
    return parseJsonBatch(decodeUtf8(plain))
  } catch (error) {
    if (error instanceof BatchRefusal) throw new Problem(error.code, error.message, { errors: error.faults })
    throw error
  }
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes)
  } catch {
    throw new BatchRefusal('invalid_json', 'The body is not valid UTF-8; send one JSON object in UTF-8.')
  }
}

const conflict = () =>
  new Problem('batch_conflict', 'This batch_id was sent before with other content; use a new batch_id.')

async function admit(c: Context<AppEnv>, shardName: string, request: AdmitRequest): Promise<AdmitReply> {
  return await c.env.TENANT_SHARD.getByName(shardName).admit(request)
}

async function settle(
  c: Context<AppEnv>,
  reply: AdmitReply,
  { tenantId, batchId, batch }: { tenantId: string; batchId: string; batch: JsonBatch },
): Promise<Response> {
  if (reply.outcome === 'busy') throw unavailable()
  if (reply.outcome === 'refused') {
    if (reply.code === 'no_datapoint_accepted') throw nothingAccepted(batch, reply.rejected)
    throw reply.code === 'batch_conflict' ? conflict() : refusal(reply.code)
  }
  const { figures, outcome } = reply
  const r2_key = archiveKeyOf(tenantId, batchId)
  if (outcome === 'accepted') await announce(c.env, { tenant_id: tenantId, batch_id: batchId, r2_key })
  const fields = { datapoints: figures.datapoints, rejected: figures.rejected.length }
  log('info', 'ingest', { tenant_id: tenantId, batch_id: batchId, status: outcome, ...fields })
  const answer = {
    batch_id: batchId,
    status: outcome,
    ...fields,
    series: figures.series,
    r2_key,
    received_at: new Date(figures.receivedAt).toISOString(),
    errors: rejectionErrors(batch, figures.rejected),
  }
  return c.json(answer, outcome === 'accepted' ? 202 : 200)
}

/** Should this fail, the shard's outbox sends the message later: the batch is accepted all the same. */
async function announce(
  env: Env,
  message: { tenant_id: string; batch_id: string; r2_key: string },
): Promise<void> {
  try {
    await withinDeadline(env.BATCHES.send(message), 2_000)
  } catch (error) {
    const { tenant_id, batch_id } = message
    log('warn', 'queue_send_failed', { tenant_id, batch_id, ...errorFields(error) })
  }
}

function rejectionErrors(batch: JsonBatch, rejected: Uint32Array) {
  return unpackRejections(rejected.subarray(0, MAX_FAULTS)).map(({ ordinal, code }) => {
    return { path: batch.pathOf(ordinal), code, message: REJECTION_MESSAGES[code] }
  })
}

const nothingAccepted = (batch: JsonBatch, rejected: Uint32Array) =>
  new Problem(
    'no_datapoint_accepted',
    'No datapoint of the batch can be stored; "errors" tells why for each.',
    {
      errors: rejectionErrors(batch, rejected),
    },
  )
