import { Hono } from 'hono'
import type { AppEnv } from '../app-env.ts'
import { auditCalls } from './audit-calls.ts'
import { deadLettersRoute } from './dead-letters-route.ts'
import { keysRoute } from './keys-route.ts'
import { limitCalls } from './limit-calls.ts'
import { requireAdmin } from './require-admin.ts'
import { tenantsRoute } from './tenants-route.ts'

/**
 * `/admin`: tenants and their keys, of which TenantControl decides and Postgres holds the names and a mirror for
 * audits; and messages that failed for good.
 */
export const adminRoute = new Hono<AppEnv>()
  .use(auditCalls)
  .use(limitCalls)
  .use(requireAdmin)
  .route('/tenants', tenantsRoute)
  .route('/tenants/:id/keys', keysRoute)
  .route('/dead-letters', deadLettersRoute)
