import type { Context } from 'hono'
import { archiveKeyOf } from '../../telemetry/archived-batch.ts'
import type { BatchFormat } from '../../telemetry/batch-format.ts'
import type { ParsedKey } from '../api-key.ts'
import type { AppEnv } from '../app-env.ts'
import { Problem } from '../problem.ts'
import { keyOf, refusal } from '../tenant-auth.ts'
import { withinDeadline } from '../within-deadline.ts'
import { type Accepted, acceptBatch } from './accept-batch.ts'
import { Announcer } from './announcer.ts'
import { overBudget } from './batch-problems.ts'
import { BodyBudget, costOf, type Lease } from './body-budget.ts'
import { checkHeaders, readBody } from './read-body.ts'
import { reportAccepted, reportRefused } from './report-ingest.ts'
import { ShardHint } from './shard-hint.ts'

const AUTHORIZE_DEADLINE_MS = 2_000

const shardHint = new ShardHint()
/** Of this isolate. */
const bodyBudget = new BodyBudget()
const announcer = new Announcer()

export type Ingested = Accepted & { r2Key: string }

/**
 * What every protocol does with a batch: once this returns it is archived and counted, and will be stored. Throws
 * a Problem for everything else; `formatOf` may, too.
 */
export async function ingest(c: Context<AppEnv>, formatOf: () => BatchFormat): Promise<Ingested> {
  const key = keyOf(c)
  const lease = bodyBudget.open(Date.now())
  const work = ingestWithin(lease, c, key, formatOf).finally(() => bodyBudget.close(lease))
  // When its client resets the connection, the runtime drops a request where it stands, `finally` or not, unless
  // somebody still waits for it.
  c.executionCtx.waitUntil(work.catch(() => {}))
  return work
}

async function ingestWithin(
  lease: Lease,
  c: Context<AppEnv>,
  key: ParsedKey,
  formatOf: () => BatchFormat,
): Promise<Ingested> {
  const { env } = c
  const sent = { tenantId: key.tenantId, startedAt: Date.now(), bytes: 0 }
  const claim = (wireBytes: number, inflatedBytes: number) => {
    const now = Date.now()
    if (bodyBudget.grow(lease, costOf(wireBytes, inflatedBytes), now)) return
    throw overBudget(bodyBudget.heldBytes, bodyBudget.retryAfterSeconds(now, Math.random))
  }
  try {
    const format = formatOf()
    const body = await readBody(c.req.raw, checkHeaders(c.req.raw.headers, format.contentTypes), claim)
    sent.bytes = body.wire.length
    const traceId = c.get('traceId')
    const chance = { random: Math.random, uuid: () => crypto.randomUUID() }
    const deps = { env, key, traceId, shardHint, now: Date.now, ...chance }
    const accepted = await acceptBatch(deps, body, format)
    const r2Key = await announce(c, key.tenantId, accepted)
    reportAccepted(c, sent, accepted)
    return { ...accepted, r2Key }
  } catch (error) {
    const told = await tellAuthorized(c, key, error).catch((unanswered: unknown) => unanswered)
    reportRefused(c, sent, told)
    throw told
  }
}

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

/** Returns the batch's place in the archive. */
async function announce(
  c: Context<AppEnv>,
  tenant_id: string,
  { batchId, reply }: Accepted,
): Promise<string> {
  const message = { tenant_id, batch_id: batchId, r2_key: archiveKeyOf(tenant_id, batchId) }
  if (reply.outcome === 'accepted') {
    const waitUntil = (work: Promise<void>) => c.executionCtx.waitUntil(work)
    await announcer.announce(message, { queue: c.env.BATCHES, now: Date.now, waitUntil })
  }
  return message.r2_key
}
