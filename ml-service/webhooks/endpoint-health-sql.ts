import type { Database } from '../database.ts'

export interface EndpointKey {
  tenantId: string
  webhookId: string
}

/** An attempt got through: whatever failed before is forgotten. */
export async function clearFailing(db: Database, { tenantId, webhookId }: EndpointKey): Promise<void> {
  await db.query(
    `update webhook_endpoints set failing_since = null
     where tenant_id = $1 and id = $2 and failing_since is not null`,
    [tenantId, webhookId],
  )
}

/** An attempt failed at `at`; returns since when all have, undefined when the endpoint is gone. */
export async function markFailing(
  db: Database,
  { tenantId, webhookId }: EndpointKey,
  at: number,
): Promise<number | undefined> {
  await db.query(
    `update webhook_endpoints set failing_since = $3
     where tenant_id = $1 and id = $2 and failing_since is null`,
    [tenantId, webhookId, new Date(at)],
  )
  const { rows } = await db.query<{ since: number }>(
    `select (extract(epoch from failing_since) * 1000)::float8 as since from webhook_endpoints
     where tenant_id = $1 and id = $2 and failing_since is not null`,
    [tenantId, webhookId],
  )
  return rows[0]?.since
}

/** Returns the endpoint's address; undefined when it was disabled or gone already. */
export async function disableEndpoint(
  db: Database,
  { tenantId, webhookId }: EndpointKey,
  reason: 'gone' | 'failing',
  now: number,
): Promise<string | undefined> {
  const { rows } = await db.query<{ url: string }>(
    `update webhook_endpoints set enabled = false, disabled_at = $3, disabled_reason = $4
     where tenant_id = $1 and id = $2 and enabled returning url`,
    [tenantId, webhookId, new Date(now), reason],
  )
  return rows[0]?.url
}
