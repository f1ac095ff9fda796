import type { Database } from '../database.ts'
import { derivedId } from '../derived-id.ts'
import { insertDeliveries, selectEnabledEndpoints } from './deliveries-sql.ts'

export interface WebhookMessage {
  /** What it announces: one delivery per endpoint and key. */
  eventKey: string
  type: 'alert.opened' | 'alert.resolved' | 'device.silent' | 'device.recovered' | 'webhook.disabled'
  /** Exactly the bytes to sign and send. */
  body: string
  /** Messages of one alert are sent one after the other. */
  order?: { alertId: string; sequence: number }
  /** Of the request that it goes back to, as a uuid, where one is known. */
  traceId?: string | null
}

/** One delivery per enabled endpoint of the tenant, due at once; saying the same again adds nothing. */
export async function enqueueDeliveries(
  db: Database,
  tenantId: string,
  message: WebhookMessage,
  now: number,
): Promise<void> {
  const endpoints = await selectEnabledEndpoints(db, tenantId)
  if (endpoints.length === 0) return
  const deliveries = endpoints.map((webhookId) => ({
    webhookId,
    id: derivedId('delivery', webhookId, message.eventKey),
  }))
  await insertDeliveries(db, tenantId, deliveries, message, now)
}
