import type { Database } from '../database.ts'
import { derivedId } from '../derived-id.ts'
import { insertDeliveries, selectEnabledEndpoints } from './deliveries-sql.ts'

/** One delivery per enabled endpoint of the tenant, due at once; saying the same again adds nothing. */
export async function enqueueDeliveries(
  db: Database,
  tenantId: string,
  message: { eventKey: string; type: string; body: string },
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
