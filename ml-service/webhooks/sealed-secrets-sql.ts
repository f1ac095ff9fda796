import type { PreviousSecret } from '../../migrations/alerting-schema.ts'
import type { Database } from '../database.ts'
import type { EndpointKey } from './endpoint-health-sql.ts'

export interface SealedEndpoint {
  key: EndpointKey
  secret: string
  previousSecrets: PreviousSecret[]
}

export async function selectEndpointKeys(db: Database): Promise<EndpointKey[]> {
  const { rows } = await db.query<EndpointKey>(
    'select tenant_id as "tenantId", id as "webhookId" from webhook_endpoints order by tenant_id, id',
  )
  return rows
}

/** Locked until the transaction ends, so that no rotation comes in between; undefined when it is gone. */
export async function lockSealed(db: Database, key: EndpointKey): Promise<SealedEndpoint | undefined> {
  const { rows } = await db.query<Omit<SealedEndpoint, 'key'>>(
    `select secret, previous_secrets as "previousSecrets" from webhook_endpoints
     where tenant_id = $1 and id = $2 for update`,
    [key.tenantId, key.webhookId],
  )
  return rows[0] && { key, ...rows[0] }
}

export async function updateSealed(
  db: Database,
  { tenantId, webhookId }: EndpointKey,
  { secret, previousSecrets }: Omit<SealedEndpoint, 'key'>,
): Promise<void> {
  await db.query(
    'update webhook_endpoints set secret = $3, previous_secrets = $4 where tenant_id = $1 and id = $2',
    [tenantId, webhookId, secret, JSON.stringify(previousSecrets)],
  )
}
