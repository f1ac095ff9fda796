import { neon, neonConfig } from '@neondatabase/serverless'

/** For work that no request waits for: a statement may take long, but a hung connection holds up nobody for ever. */
const BACKGROUND_DEADLINE_MS = 25_000

export type DatabaseEnv = Pick<Env, 'DATABASE_URL' | 'NEON_PROXY_URL'>

/**
 * Neon's HTTP driver; with NEON_PROXY_URL (local runs) it speaks the same protocol to a proxy. Every call is
 * given up after what `deadlineMs` says when it starts: a connection that went silent never ends by itself.
 */
export function connect(env: DatabaseEnv, deadlineMs: () => number = () => BACKGROUND_DEADLINE_MS) {
  if (env.NEON_PROXY_URL !== '') neonConfig.fetchEndpoint = env.NEON_PROXY_URL
  const fetchOptions = {
    // A getter, because the driver copies these options for each call and a signal runs from when it is made.
    get signal() {
      return AbortSignal.timeout(deadlineMs())
    },
  }
  return neon(env.DATABASE_URL, { fetchOptions })
}

export type Sql = ReturnType<typeof connect>

/** Whose rows a transaction sees and takes, whatever its connection logged in as: see docs/isolation.md. */
export interface Scope {
  role: 'edgepulse_edge' | 'edgepulse_operator'
  tenantId: string
}

export const ofTenant = (tenantId: string): Scope => ({ role: 'edgepulse_edge', tenantId })

/** For the little that an operator sees of all tenants. */
export const OPERATOR: Scope = { role: 'edgepulse_operator', tenantId: '' }

/** The first statement of every transaction; holds until it ends, so that a pooled connection keeps nothing. */
export const become = (sql: Sql, { role, tenantId }: Scope) =>
  sql.query(`select set_config('role', $1, true), set_config('edgepulse.tenant_id', $2, true)`, [
    role,
    tenantId,
  ])
