import type pg from 'pg'
import { openSecret } from '../../telemetry/secret-box.ts'
import { signWebhook } from '../../telemetry/signature.ts'
import { OPERATOR, scopedDatabase } from '../database.ts'
import { log, messageOf } from '../log.ts'
import {
  type Attempt,
  claimDeliveries,
  type Delivery,
  type DeliveryKey,
  disableEndpoint,
  recordAttempt,
  selectDelivery,
} from './deliveries-sql.ts'
import { nextAttemptAt } from './next-attempt.ts'
import type { PostResult } from './post-webhook.ts'

/** Longer than an attempt can take, so that only a dead holder's delivery is tried by somebody else. */
const LEASE_MS = 60_000
const CONCURRENCY = 16

const GONE = 410

export interface DeliverDeps {
  pool: pg.Pool
  /** Milliseconds since the epoch. */
  now: () => number
  /** In [0, 1). */
  random: () => number
  /** 32 bytes in base64. */
  webhookSecretKey: string
  post: (url: string, headers: Record<string, string>, body: string) => Promise<PostResult>
}

export interface DeliverSummary {
  delivered: number
  /** Failed attempts that will be made again. */
  retrying: number
  failed: number
}

/**
 * Attempts every delivery that is due, once, and returns how they ended. No transaction is open while a
 * receiver is waited for: a claim is a lease, and a process that dies in between costs the receiver at most
 * one more copy with the same `webhook-id`.
 */
export async function deliverDue(deps: DeliverDeps): Promise<DeliverSummary> {
  const summary: DeliverSummary = { delivered: 0, retrying: 0, failed: 0 }
  for (;;) {
    const now = deps.now()
    const lease = { now, leaseUntil: now + LEASE_MS, limit: CONCURRENCY }
    const claimed = await claimDeliveries(scopedDatabase(deps.pool, OPERATOR), lease)
    if (claimed.length === 0) return summary
    const outcomes = await Promise.all(claimed.map((delivery) => attemptDelivery(deps, delivery)))
    for (const outcome of outcomes) if (outcome !== undefined) summary[outcome] += 1
  }
}

async function attemptDelivery(
  deps: DeliverDeps,
  claimed: DeliveryKey,
): Promise<keyof DeliverSummary | undefined> {
  const db = scopedDatabase(deps.pool, claimed)
  const delivery = await selectDelivery(db, claimed)
  if (delivery === undefined) return undefined // gone with its webhook meanwhile
  const started = deps.now()
  const result = await send(deps, delivery, started)
  const ended = deps.now()
  const attempt: Attempt = {
    at: new Date(started).toISOString(),
    status: result.status,
    duration_ms: Math.max(0, ended - started),
    error: result.error,
  }
  const retryAt =
    result.status === GONE ? undefined : nextAttemptAt(delivery.attemptCount + 1, ended, deps.random())
  const state = result.error === null ? 'delivered' : retryAt === undefined ? 'failed' : 'pending'
  if (result.status === GONE) await disableEndpoint(db, delivery)
  const nextAttempt = state === 'pending' ? retryAt : undefined
  await recordAttempt(db, delivery, attempt, { state, nextAttemptAt: nextAttempt })
  logAttempt(delivery, attempt, state)
  return state === 'pending' ? 'retrying' : state
}

async function send(deps: DeliverDeps, delivery: Delivery, now: number): Promise<PostResult> {
  const { id, url, body } = delivery
  const timestampSeconds = Math.floor(now / 1000)
  let signature: string
  try {
    const secrets = await secretsOf(delivery, deps.webhookSecretKey, now)
    signature = await signWebhook(secrets, { id, timestampSeconds, body })
  } catch (error) {
    return { status: null, error: `the secret cannot be opened: ${messageOf(error)}` }
  }
  const headers = {
    'content-type': 'application/json',
    'user-agent': 'EdgePulse-Webhooks/1.0',
    'webhook-id': id,
    'webhook-timestamp': String(timestampSeconds),
    'webhook-signature': signature,
  }
  return deps.post(url, headers, body)
}

/** The secret, and the one before while it still signs along. */
async function secretsOf(delivery: Delivery, key: string, now: number): Promise<string[]> {
  const { secret, previousSecret, previousSecretExpires } = delivery
  const sealed = [secret]
  if (previousSecret !== null && previousSecretExpires !== null && previousSecretExpires > now) {
    sealed.push(previousSecret)
  }
  const context = `${delivery.tenantId}/${delivery.webhookId}`
  return Promise.all(sealed.map((text) => openSecret(text, key, context)))
}

function logAttempt(delivery: Delivery, attempt: Attempt, state: string): void {
  log(state === 'delivered' ? 'info' : 'warn', 'webhook attempt', {
    tenant_id: delivery.tenantId,
    delivery_id: delivery.id,
    webhook_id: delivery.webhookId,
    type: delivery.type,
    attempt: delivery.attemptCount + 1,
    state,
    status: attempt.status,
    duration_ms: attempt.duration_ms,
    error: attempt.error,
  })
}
