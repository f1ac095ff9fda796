import { neon, neonConfig } from '@neondatabase/serverless'

/** Neon's HTTP driver; with NEON_PROXY_URL (local runs) it speaks the same protocol to a proxy. */
export function connect(env: Pick<Env, 'DATABASE_URL' | 'NEON_PROXY_URL'>) {
  if (env.NEON_PROXY_URL !== '') neonConfig.fetchEndpoint = env.NEON_PROXY_URL
  return neon(env.DATABASE_URL)
}

export type Sql = ReturnType<typeof connect>
