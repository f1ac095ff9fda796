import { neon, neonConfig } from '@neondatabase/serverless'

/** For work that no request waits for: a statement may take long, but a hung connection holds up nobody for ever. */
const BACKGROUND_DEADLINE_MS = 25_000

/**
 * Neon's HTTP driver; with NEON_PROXY_URL (local runs) it speaks the same protocol to a proxy. Every call is
 * given up after what `deadlineMs` says when it starts: a connection that went silent never ends by itself.
 */
export function connect(
  env: Pick<Env, 'DATABASE_URL' | 'NEON_PROXY_URL'>,
  deadlineMs: () => number = () => BACKGROUND_DEADLINE_MS,
) {
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
