import type { MiddlewareHandler } from 'hono'
import { log } from '../../durable-objects/log.ts'
import type { AppEnv } from '../app-env.ts'
import { clientAddress } from './client-address.ts'

/**
 * One line for each admin call, served or refused: who asked for what, and how it ended. Paths hold ids alone; what was
 * sent, and a key that was made, stay out.
 */
export const auditCalls: MiddlewareHandler<AppEnv> = async (c, next) => {
  await next()
  const { method, path } = c.req
  const tenantId = /^\/admin\/tenants\/([0-9a-f-]{36})/.exec(path)?.[1]
  const outcome = { status: c.res.status, address: clientAddress(c) }
  log('info', 'admin_call', {
    ...(tenantId && { tenant_id: tenantId }),
    trace_id: c.get('traceId'),
    method,
    path,
    ...outcome,
  })
}
