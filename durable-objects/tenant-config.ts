import type { RateLimit } from './rate-limit.ts'

export const SCOPES = ['ingest', 'read', 'manage'] as const
export type Scope = (typeof SCOPES)[number]

/** Every shard holds the live keys in one stored value of at most 2 MB; a key takes some 230 bytes. */
export const MAX_LIVE_KEYS = 1_000

/** What a tenant may do and for how long its data is kept. */
export interface Plan {
  retentionDays: number
  seriesLimit: number
  shards: number
  rateLimit: RateLimit | null
  allowedLatenessMs: number
}

export type TenantState = 'active' | 'suspended' | 'deleting'

export interface KeyRecord {
  id: string
  /** SHA-256 of the whole key, hex. */
  hash: string
  scopes: Scope[]
  /** Epoch ms; null: never. */
  expiresAt: number | null
  revokedAt: number | null
}

/**
 * What TenantControl decides and every shard holds a copy of. `version` grows with each change, so that a
 * copy that arrives late never replaces a newer one.
 */
export interface TenantConfig {
  version: number
  state: TenantState
  plan: Plan
  keys: KeyRecord[]
  /** Batches received before this may have been forgotten by one of the shards; null while none has. Epoch ms. */
  dedupeSince: number | null
}

export type Authorization = 'ok' | 'invalid_api_key' | 'insufficient_scope' | 'tenant_suspended'

/** Whether the key with this hash may do what one of `scopes` allows, at `now`. */
export function authorize(
  config: TenantConfig,
  keyHash: string,
  scopes: Scope[],
  now: number,
): Authorization {
  const key = config.keys.find(({ hash }) => hash === keyHash)
  if (key === undefined || key.revokedAt !== null) return 'invalid_api_key'
  if (key.expiresAt !== null && key.expiresAt <= now) return 'invalid_api_key'
  if (config.state === 'deleting') return 'invalid_api_key'
  if (!key.scopes.some((scope) => scopes.includes(scope))) return 'insufficient_scope'
  return config.state === 'suspended' ? 'tenant_suspended' : 'ok'
}
