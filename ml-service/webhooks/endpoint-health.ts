import type { Database } from '../database.ts'
import { clearFailing, disableEndpoint, type EndpointKey, markFailing } from './endpoint-health-sql.ts'
import { enqueueDeliveries, type WebhookMessage } from './enqueue-deliveries.ts'
import type { PostResult } from './post-webhook.ts'

const GONE = 410
const DAY_MS = 86_400_000
/** An endpoint that answered nothing well for so long is not asked any more. */
export const FAILING_FOR_MS = 5 * DAY_MS

/** Draws the conclusions of one attempt for its endpoint, in the caller's transaction. */
export async function judgeEndpoint(
  db: Database,
  endpoint: EndpointKey,
  { status, error }: PostResult,
  now: number,
): Promise<void> {
  if (error === null) return clearFailing(db, endpoint)
  const since = await markFailing(db, endpoint, now)
  if (status === GONE) await disable(db, endpoint, 'gone', now)
  else if (since !== undefined && now - since >= FAILING_FOR_MS) await disable(db, endpoint, 'failing', now)
}

/** Disables the endpoint and tells the tenant's others; what waits for it is kept until it is enabled again. */
async function disable(
  db: Database,
  endpoint: EndpointKey,
  reason: 'gone' | 'failing',
  now: number,
): Promise<void> {
  const url = await disableEndpoint(db, endpoint, reason, now)
  if (url === undefined) return
  const message = disabledMessage({ webhookId: endpoint.webhookId, url, reason }, now)
  await enqueueDeliveries(db, endpoint.tenantId, message, now)
}

export function disabledMessage(
  { webhookId, url, reason }: { webhookId: string; url: string; reason: 'gone' | 'failing' },
  now: number,
): WebhookMessage {
  const timestamp = new Date(now).toISOString()
  const type = 'webhook.disabled'
  const data = { webhook_id: webhookId, url, disabled_at: timestamp, disabled_reason: reason }
  return {
    eventKey: `${webhookId}:disabled:${timestamp}`,
    type,
    body: JSON.stringify({ type, timestamp, data }),
  }
}
