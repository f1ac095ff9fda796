import { type Context, Hono } from 'hono'
import type { ParsedKey } from '../api-key.ts'
import type { AppEnv } from '../app-env.ts'
import { errorFields, log } from '../log.ts'
import { Problem } from '../problem.ts'
import { keyOf, refusal } from '../tenant-auth.ts'
import { withinDeadline } from '../within-deadline.ts'
import { acceptBatch } from './accept-batch.ts'
import { archiveKeyOf } from './archive.ts'
import { rejectionErrors } from './batch-problems.ts'
import { checkHeaders, readBody } from './read-body.ts'
import { ShardHint } from './shard-hint.ts'

const SEND_DEADLINE_MS = 1_500
const AUTHORIZE_DEADLINE_MS = 2_000

const shardHint = new ShardHint()

/** `POST /v1/ingest`: a 202 says that the batch is archived, counted, and will be stored. */
export const ingestRoute = new Hono<AppEnv>().post('/', async (c) => {
  const key = keyOf(c)
  const { env } = c
  try {
    const body = await readBody(c.req.raw, checkHeaders(c.req.raw.headers))
    const accepted = await acceptBatch({ env, key, shardHint, now: Date.now, random: Math.random }, body)
    return await answer(c, key.tenantId, accepted)
  } catch (error) {
    throw await tellAuthorized(c, key, error)
  }
})

/** What is wrong with a batch is told only to a key that may ingest: a revoked one hears that it is revoked. */
async function tellAuthorized(
  c: Context<AppEnv>,
  { tenantId, hash }: ParsedKey,
  error: unknown,
): Promise<unknown> {
  const told =
    error instanceof Problem && ['unavailable', 'invalid_api_key', 'insufficient_scope'].includes(error.code)
  if (told) return error
  const control = c.env.TENANT_CONTROL.getByName(tenantId)
  const authorization = await withinDeadline(control.authorize(hash, ['ingest']), AUTHORIZE_DEADLINE_MS)
  return authorization === 'ok' ? error : refusal(authorization)
}

async function answer(
  c: Context<AppEnv>,
  tenantId: string,
  { batch, batchId, reply }: Awaited<ReturnType<typeof acceptBatch>>,
): Promise<Response> {
  const { figures, outcome } = reply
  const r2_key = archiveKeyOf(tenantId, batchId)
  if (outcome === 'accepted') await announce(c.env, { tenant_id: tenantId, batch_id: batchId, r2_key })
  const counts = { datapoints: figures.datapoints, rejected: figures.rejected.length }
  log('info', 'ingest', { tenant_id: tenantId, batch_id: batchId, status: outcome, ...counts })
  const body = {
    ...{ batch_id: batchId, status: outcome, ...counts, series: figures.series, r2_key },
    received_at: new Date(figures.receivedAt).toISOString(),
    errors: rejectionErrors(batch, figures.rejected),
  }
  return c.json(body, outcome === 'accepted' ? 202 : 200)
}

/** Should this fail, the shard's outbox sends the message later: the batch is accepted all the same. */
async function announce(
  env: Env,
  message: { tenant_id: string; batch_id: string; r2_key: string },
): Promise<void> {
  try {
    await withinDeadline(env.BATCHES.send(message), SEND_DEADLINE_MS)
  } catch (error) {
    const { tenant_id, batch_id } = message
    log('warn', 'queue_send_failed', { tenant_id, batch_id, ...errorFields(error) })
  }
}
