import type { Database } from '../database.ts'

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
  message: { eventKey: string; type: string; body: string },
  now: number,
): Promise<void> {
  await db.query(
    `insert into webhook_deliveries (tenant_id, id, webhook_id, event_key, type, body, next_attempt_at, created_at)
     select $1, d.id, d.webhook_id, $4, $5, $6, $7, $7 from unnest($2::uuid[], $3::uuid[]) as d (id, webhook_id)
     on conflict do nothing`,
    [
      tenantId,
      deliveries.map(({ id }) => id),
      deliveries.map(({ webhookId }) => webhookId),
      message.eventKey,
      message.type,
      message.body,
      new Date(now),
    ],
  )
}

export interface DeliveryKey {
  tenantId: string
  id: string
}

/** A delivery with what its endpoint says at this moment; secrets are still sealed. */
export interface Delivery extends DeliveryKey {
  webhookId: string
  type: string
  body: string
  attemptCount: number
  url: string
  secret: string
  previousSecret: string | null
  previousSecretExpires: number | null
}

/**
 * Takes up to `limit` due deliveries of enabled endpoints until `leaseUntil`: while the lease runs nobody
 * else sees them as due, and after it a delivery whose holder died is due again.
 */
export async function claimDeliveries(
  db: Database,
  claim: { now: number; leaseUntil: number; limit: number },
): Promise<DeliveryKey[]> {
  const { rows } = await db.query<DeliveryKey>(
    `with due as (
       select d.tenant_id, d.id from webhook_deliveries d
       join webhook_endpoints e on e.tenant_id = d.tenant_id and e.id = d.webhook_id
       where d.state = 'pending' and d.next_attempt_at <= $1 and e.enabled
       order by d.next_attempt_at limit $3 for update of d skip locked)
     update webhook_deliveries d set next_attempt_at = $2
     from due where d.tenant_id = due.tenant_id and d.id = due.id
     returning d.tenant_id as "tenantId", d.id`,
    [new Date(claim.now), new Date(claim.leaseUntil), claim.limit],
  )
  return rows
}

export async function selectDelivery(
  db: Database,
  { tenantId, id }: DeliveryKey,
): Promise<Delivery | undefined> {
  const { rows } = await db.query<Delivery>(
    `select d.tenant_id as "tenantId", d.id, d.webhook_id as "webhookId", d.type, d.body,
       d.attempt_count as "attemptCount", e.url, e.secret, e.previous_secret as "previousSecret",
       (extract(epoch from e.previous_secret_expires) * 1000)::float8 as "previousSecretExpires"
     from webhook_deliveries d join webhook_endpoints e on e.tenant_id = d.tenant_id and e.id = d.webhook_id
     where d.tenant_id = $1 and d.id = $2`,
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
}

/** Stores how an attempt ended. `nextAttemptAt` is set for `pending` only. */
export async function recordAttempt(
  db: Database,
  { tenantId, id }: { tenantId: string; id: string },
  attempt: Attempt,
  outcome: { state: 'pending' | 'delivered' | 'failed'; nextAttemptAt: number | undefined },
): Promise<void> {
  await db.query(
    `update webhook_deliveries set attempts = attempts || $3::jsonb, attempt_count = attempt_count + 1,
       state = $4, next_attempt_at = $5
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

export async function disableEndpoint(
  db: Database,
  { tenantId, webhookId }: { tenantId: string; webhookId: string },
): Promise<void> {
  await db.query('update webhook_endpoints set enabled = false where tenant_id = $1 and id = $2', [
    tenantId,
    webhookId,
  ])
}

/** Seconds that the oldest delivery is overdue; 0 when none is. */
export async function oldestDueDeliverySeconds(db: Database, now: number): Promise<number> {
  const { rows } = await db.query<{ seconds: number }>(
    `select coalesce(extract(epoch from $1 - min(d.next_attempt_at)), 0)::float8 as seconds
     from webhook_deliveries d join webhook_endpoints e on e.tenant_id = d.tenant_id and e.id = d.webhook_id
     where d.state = 'pending' and d.next_attempt_at <= $1::timestamptz and e.enabled`,
    [new Date(now)],
  )
  return rows[0]!.seconds
}
