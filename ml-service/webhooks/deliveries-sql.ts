import type { PreviousSecret } from '../../migrations/alerting-schema.ts'
import type { Database } from '../database.ts'
import type { WebhookMessage } from './enqueue-deliveries.ts'

export async function selectEnabledEndpoints(db: Database, tenantId: string): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>(
    'select id from webhook_endpoints where tenant_id = $1 and enabled order by id',
    [tenantId],
  )
  return rows.map((row) => row.id)
}

export async function insertDeliveries(
  db: Database,
  tenantId: string,
  deliveries: { webhookId: string; id: string }[],
  { eventKey, type, body, order, traceId }: WebhookMessage,
  now: number,
): Promise<void> {
  await db.query(
    `insert into webhook_deliveries (tenant_id, id, webhook_id, event_key, type, body, next_attempt_at, created_at,
       alert_id, sequence, trace_id)
     select $1, d.id, d.webhook_id, $4, $5, $6, $7, $7, $8, $9, $10
     from unnest($2::uuid[], $3::uuid[]) as d (id, webhook_id)
     on conflict do nothing`,
    [
      tenantId,
      deliveries.map(({ id }) => id),
      deliveries.map(({ webhookId }) => webhookId),
      eventKey,
      type,
      body,
      new Date(now),
      order?.alertId ?? null,
      order?.sequence ?? null,
      traceId ?? null,
    ],
  )
}

export interface DeliveryKey {
  tenantId: string
  id: string
}

/** Any constant that nobody else uses. */
const CLAIM_LOCK = 7_203_114_007

/** Whether an earlier message of the alert of delivery `d` has not ended yet. */
const BEHIND = `d.alert_id is not null and exists (
  select from webhook_deliveries earlier
  where earlier.tenant_id = d.tenant_id and earlier.webhook_id = d.webhook_id and earlier.alert_id = d.alert_id
    and earlier.state = 'pending' and earlier.sequence < d.sequence)`

/** Deliveries `d` of an endpoint `e` that are due, nobody's, and not behind an earlier message of their alert. */
const READY = `from webhook_deliveries d
  where d.tenant_id = e.tenant_id and d.webhook_id = e.id and d.state = 'pending' and d.next_attempt_at <= $1
    and (d.claimed_until is null or d.claimed_until <= $1) and not (${BEHIND})
  order by d.next_attempt_at, d.id`

/** Finds endpoints with anything pending by one look at the index each, however much they have pending. */
const CLAIM = `
  with recursive waiting as (
    (select tenant_id, webhook_id from webhook_deliveries where state = 'pending'
     order by tenant_id, webhook_id limit 1)
    union all
    select next.tenant_id, next.webhook_id
    from waiting w, lateral (
      select tenant_id, webhook_id from webhook_deliveries
      where state = 'pending' and (tenant_id, webhook_id) > (w.tenant_id, w.webhook_id)
      order by tenant_id, webhook_id limit 1) as next
  ), endpoints as (
    select e.tenant_id, e.id, $4 - held.count as free
    from waiting w join webhook_endpoints e on e.tenant_id = w.tenant_id and e.id = w.webhook_id,
      lateral (
        select count(*) from webhook_deliveries d
        where d.tenant_id = e.tenant_id and d.webhook_id = e.id and d.state = 'pending' and d.claimed_until > $1
      ) as held,
      lateral (select d.next_attempt_at ${READY} limit 1) as first
    where e.enabled and held.count < $4
    order by first.next_attempt_at limit $3
  ), due as (
    select ready.tenant_id, ready.id
    from endpoints e, lateral (select d.tenant_id, d.id, d.next_attempt_at ${READY} limit e.free) as ready
    order by ready.next_attempt_at, ready.id limit $3
  )
  update webhook_deliveries d set claimed_until = $2
  from due where d.tenant_id = due.tenant_id and d.id = due.id
  returning d.tenant_id as "tenantId", d.id`

/**
 * Takes up to `limit` deliveries that are due until `leaseUntil`, of enabled endpoints that then have no more than
 * `perEndpoint` attempts under way, whoever makes them. While a lease runs nobody else takes the delivery; after
 * it, one whose holder died is taken again. Needs a transaction: claims of several processes go one after the
 * other, so that none counts what another is about to take.
 */
export async function claimDeliveries(
  db: Database,
  claim: { now: number; leaseUntil: number; limit: number; perEndpoint: number },
): Promise<DeliveryKey[]> {
  // Who freezes here shall not stop the others for longer than this.
  await db.query(
    `select set_config('idle_in_transaction_session_timeout', '10s', true), pg_advisory_xact_lock($1)`,
    [CLAIM_LOCK],
  )
  const { now, leaseUntil, limit, perEndpoint } = claim
  const { rows } = await db.query<DeliveryKey>(CLAIM, [
    new Date(now),
    new Date(leaseUntil),
    limit,
    perEndpoint,
  ])
  return rows
}

/** A delivery with what its endpoint says at this moment; secrets are still sealed. */
export interface Delivery extends DeliveryKey {
  webhookId: string
  type: string
  body: string
  attemptCount: number
  /** The id of a delivery whose trace is not known stands for one: all its attempts are of one trace. */
  traceUuid: string
  url: string
  secret: string
  /** Those that were replaced; each signs along until it expires (ISO 8601). */
  previousSecrets: PreviousSecret[]
}

/** undefined: it is no longer to be sent, its endpoint having been deleted or disabled meanwhile. */
export async function selectDelivery(
  db: Database,
  { tenantId, id }: DeliveryKey,
): Promise<Delivery | undefined> {
  const { rows } = await db.query<Delivery>(
    `select d.tenant_id as "tenantId", d.id, d.webhook_id as "webhookId", d.type, d.body,
       d.attempt_count as "attemptCount", coalesce(d.trace_id, d.id) as "traceUuid", e.url, e.secret,
       e.previous_secrets as "previousSecrets"
     from webhook_deliveries d join webhook_endpoints e on e.tenant_id = d.tenant_id and e.id = d.webhook_id
     where d.tenant_id = $1 and d.id = $2 and d.state = 'pending' and e.enabled`,
    [tenantId, id],
  )
  return rows[0]
}

/** One try, as GET /v1/webhooks/{id}/deliveries shows it; `status` is null where no answer came. */
export interface Attempt {
  at: string
  status: number | null
  duration_ms: number
  error: string | null
  /** The first characters of the answer's body; null where no answer came. */
  response: string | null
}

/** Attempts that a delivery remembers, however often it is sent again. */
const MAX_ATTEMPTS_KEPT = 50

/** Stores how an attempt ended and lets the delivery go. `nextAttemptAt` is set for `pending` only. */
export async function recordAttempt(
  db: Database,
  { tenantId, id }: DeliveryKey,
  attempt: Attempt,
  outcome: { state: 'pending' | 'delivered' | 'failed'; nextAttemptAt: number | undefined },
): Promise<void> {
  await db.query(
    `update webhook_deliveries set attempt_count = attempt_count + 1, state = $4, next_attempt_at = $5,
       claimed_until = null,
       attempts = case when jsonb_array_length(attempts) < ${MAX_ATTEMPTS_KEPT} then attempts else attempts - 0 end
         || $3::jsonb
     where tenant_id = $1 and id = $2 and state = 'pending'`,
    [
      tenantId,
      id,
      JSON.stringify([attempt]),
      outcome.state,
      outcome.nextAttemptAt === undefined ? null : new Date(outcome.nextAttemptAt),
    ],
  )
}

/** Seconds that the oldest delivery is overdue, those aside that wait for an earlier one; 0 when none is. */
export async function oldestDueDeliverySeconds(db: Database, now: number): Promise<number> {
  const { rows } = await db.query<{ seconds: number }>(
    `select coalesce(extract(epoch from $1 - min(d.next_attempt_at)), 0)::float8 as seconds
     from webhook_deliveries d join webhook_endpoints e on e.tenant_id = d.tenant_id and e.id = d.webhook_id
     where d.state = 'pending' and d.next_attempt_at <= $1::timestamptz and e.enabled
       and (d.claimed_until is null or d.claimed_until <= $1) and not (${BEHIND})`,
    [new Date(now)],
  )
  return rows[0]!.seconds
}
