import type pg from 'pg'
import { isSampled } from '../../telemetry/log-line.ts'
import { type RandomBytes, traceIdFromUuid } from '../../telemetry/trace.ts'
import { inTransaction, OPERATOR, scopedDatabase } from '../database.ts'
import { log } from '../log.ts'
import {
  type Attempt,
  claimDeliveries,
  type Delivery,
  type DeliveryKey,
  recordAttempt,
  selectDelivery,
} from './deliveries-sql.ts'
import { judgeEndpoint } from './endpoint-health.ts'
import { nextAttemptAt, retryAfterMs } from './next-attempt.ts'
import type { PostResult } from './post-webhook.ts'
import { sendSigned } from './send-signed.ts'

/** Longer than an attempt can take, so that only a dead holder's delivery is tried by somebody else. */
const LEASE_MS = 60_000
/** Attempts under way at a time: in this process, and to one endpoint by all processes together. */
const CONCURRENCY = 256
const PER_ENDPOINT = 4
/** How often to look for what has become due while attempts are under way. */
const POLL_MS = 500

const GONE = 410

export interface DeliverDeps {
  pool: pg.Pool
  /** Milliseconds since the epoch. */
  now: () => number
  /** In [0, 1). */
  random: () => number
  randomBytes: RandomBytes
  /** Share of deliveries whose success is logged, 0 to 1. */
  logSampleRate: number
  sleep: (ms: number) => Promise<unknown>
  /** Keys that open webhook secrets, 32 bytes in base64 each. */
  webhookSecretKeys: string[]
  post: (url: string, headers: Record<string, string>, body: string) => Promise<PostResult>
}

export interface DeliverSummary {
  delivered: number
  /** Failed attempts that will be made again. */
  retrying: number
  failed: number
}

/**
 * Attempts every delivery that is due, or becomes so meanwhile, and returns how attempts ended; takes no more when
 * `stopped` says so. No transaction is open while a receiver is waited for: a claim is a lease, and a process that dies
 * in between costs the receiver at most one more copy with the same `webhook-id`. Slow receivers hold up only
 * themselves: what ends makes room at once for what is due elsewhere. With a steady supply it does not return, so
 * `onAttempt` hears of attempts as they end.
 */
export async function deliverDue(
  deps: DeliverDeps,
  stopped: () => boolean = () => false,
  onAttempt: (outcome: keyof DeliverSummary, tookMs: number) => void = () => {},
): Promise<DeliverSummary> {
  const tally: DeliverSummary = { delivered: 0, retrying: 0, failed: 0 }
  const underWay = new Set<Promise<void>>()
  const failures: unknown[] = []
  const start = (key: DeliveryKey) => {
    const attempt = attemptDelivery(deps, key)
      .then((ended) => {
        if (ended === undefined) return
        tally[ended.outcome] += 1
        onAttempt(ended.outcome, ended.tookMs)
      })
      .catch((error: unknown) => failures.push(error))
      .then(() => void underWay.delete(attempt))
    underWay.add(attempt)
  }
  try {
    while (failures.length === 0) {
      // An attempt that ends while we look may have made room for what the look did not find.
      const wasIdle = underWay.size === 0
      const claimed = stopped() ? [] : await claim(deps, CONCURRENCY - underWay.size)
      claimed.forEach(start)
      if (wasIdle && claimed.length === 0) break
      if (underWay.size > 0) await Promise.race([...underWay, deps.sleep(POLL_MS)])
    }
  } finally {
    await Promise.all(underWay)
  }
  if (failures.length > 0) throw failures[0]
  return tally
}

async function claim({ pool, now }: DeliverDeps, limit: number): Promise<DeliveryKey[]> {
  if (limit === 0) return []
  const at = now()
  return inTransaction(pool, OPERATOR, (db) =>
    claimDeliveries(db, { now: at, leaseUntil: at + LEASE_MS, limit, perEndpoint: PER_ENDPOINT }),
  )
}

/** undefined: there was nothing to send any more. */
async function attemptDelivery(
  deps: DeliverDeps,
  key: DeliveryKey,
): Promise<{ outcome: keyof DeliverSummary; tookMs: number } | undefined> {
  const delivery = await selectDelivery(scopedDatabase(deps.pool, key), key)
  if (delivery === undefined) return undefined
  const started = deps.now()
  const result = await sendSigned(deps, delivery, started)
  const ended = deps.now()
  const attempt: Attempt = {
    at: new Date(started).toISOString(),
    status: result.status,
    duration_ms: Math.max(0, ended - started),
    error: result.error,
    response: result.response,
  }
  const outcome = outcomeOf(delivery, result, { now: ended, random: deps.random() })
  await inTransaction(deps.pool, key, async (db) => {
    await recordAttempt(db, delivery, attempt, outcome)
    if (!result.unsent) await judgeEndpoint(db, delivery, result, ended)
  })
  const ending = outcome.state === 'pending' ? 'retrying' : outcome.state
  logAttempt(deps, delivery, attempt, ending)
  return { outcome: ending, tookMs: attempt.duration_ms }
}

function outcomeOf(
  { attemptCount }: Delivery,
  { status, error, retryAfter }: PostResult,
  { now, random }: { now: number; random: number },
): Parameters<typeof recordAttempt>[3] {
  if (error === null) return { state: 'delivered', nextAttemptAt: undefined }
  const wait = { now, random, retryAfterMs: retryAfterMs(retryAfter, now) }
  const retryAt = status === GONE ? undefined : nextAttemptAt(attemptCount + 1, wait)
  return { state: retryAt === undefined ? 'failed' : 'pending', nextAttemptAt: retryAt }
}

function logAttempt(
  { logSampleRate }: DeliverDeps,
  delivery: Delivery,
  attempt: Attempt,
  outcome: keyof DeliverSummary,
): void {
  const traceId = traceIdFromUuid(delivery.traceUuid)
  if (outcome === 'delivered' && !isSampled(traceId, logSampleRate)) return
  log(outcome === 'delivered' ? 'info' : 'warn', 'webhook_attempt', {
    tenant_id: delivery.tenantId,
    delivery_id: delivery.id,
    webhook_id: delivery.webhookId,
    trace_id: traceId,
    type: delivery.type,
    attempt: delivery.attemptCount + 1,
    outcome,
    status: attempt.status,
    duration_ms: attempt.duration_ms,
    ...(attempt.error !== null && { error: attempt.error }),
  })
}
