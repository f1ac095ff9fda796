import type { Scope } from '../../durable-objects/tenant-config.ts'

export const SECURITY_SCHEMES = {
  apiKey: {
    type: 'apiKey',
    in: 'header',
    name: 'X-API-Key',
    description: 'The key of a tenant, `epk_…`. Each call names the scopes one of which the key must have.',
  },
  bearer: {
    type: 'http',
    scheme: 'bearer',
    description: 'The same key as `Authorization: Bearer epk_…`.',
  },
  influxToken: {
    type: 'apiKey',
    in: 'header',
    name: 'Authorization',
    description: 'The same key as clients of InfluxDB send it: `Authorization: Token epk_…`.',
  },
  adminToken: {
    type: 'http',
    scheme: 'bearer',
    description: 'The operator’s `ADMIN_TOKEN`. The key of a tenant never opens the admin API.',
  },
} as const

type Scheme = keyof typeof SECURITY_SCHEMES

/** Any of `schemes`, with a key that has any of `scopes`. */
export const keyWith = (scopes: Scope[], schemes: Scheme[] = ['apiKey', 'bearer']) =>
  schemes.flatMap((scheme) => scopes.map((scope) => ({ [scheme]: [scope] })))
