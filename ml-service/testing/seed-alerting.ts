import { randomBytes, randomUUID } from 'node:crypto'
import type pg from 'pg'
import { sealSecret } from '../../telemetry/secret-box.ts'
import { webhookSecretOf } from '../../telemetry/signature.ts'

export const SECRET_KEY = Buffer.alloc(32, 7).toString('base64')

interface RuleFields {
  metricId?: string
  threshold?: number
  forWindows?: number
  direction?: 'above' | 'below' | 'both'
  minDeviation?: number
  maxAgeSeconds?: number
}

export async function addRule(pool: pg.Pool, tenantId: string, rule: RuleFields = {}): Promise<string> {
  const id = randomUUID()
  await pool.query(
    `insert into alert_rules (tenant_id, id, name, metric_id, threshold, for_windows, direction, min_deviation,
       max_age_seconds)
     values ($1, $2, 'test', $3, $4, $5, $6, $7, $8)`,
    [
      tenantId,
      id,
      rule.metricId ?? null,
      rule.threshold ?? 1,
      rule.forWindows ?? 1,
      rule.direction ?? 'both',
      rule.minDeviation ?? 0,
      rule.maxAgeSeconds ?? 86_400,
    ],
  )
  return id
}

/** An endpoint as the Worker makes it; returns the secret in the clear, as its creation answers it. */
export async function addEndpoint(pool: pg.Pool, tenantId: string, url: string) {
  const id = randomUUID()
  const secret = webhookSecretOf(randomBytes(32))
  const sealed = await sealSecret(secret, SECRET_KEY, `${tenantId}/${id}`)
  await pool.query('insert into webhook_endpoints (tenant_id, id, url, secret) values ($1, $2, $3, $4)', [
    tenantId,
    id,
    url,
    sealed,
  ])
  return { id, secret }
}
