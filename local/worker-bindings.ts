import type { Secrets } from './secrets.ts'

export interface BindingOptions {
  environment: Record<string, string>
  secrets: Secrets
  databaseUrl: string
  /** Where the local Neon proxy listens; undefined in front of a real Neon. */
  proxyPort: number | undefined
  allowPrivateWebhooks: boolean
}

/** Taken from the environment where it sets them. */
const PASSED_ON = [
  'API_KEY_MAC_SECRET_PREVIOUS',
  'CORS_ORIGINS',
  'FLUSH_INTERVAL_MS',
  'LOG_SAMPLE_RATE',
  'RESEND_AFTER_MS',
  'WEBHOOK_ALLOW_PRIVATE',
]

/** Variables and secrets of the Worker in a local run; the rest is as wrangler.toml has it. */
export function workerBindings(options: BindingOptions): Record<string, string> {
  const { environment, secrets, databaseUrl, proxyPort, allowPrivateWebhooks } = options
  const bindings: Record<string, string> = {
    ADMIN_TOKEN: secrets.ADMIN_TOKEN,
    API_KEY_MAC_SECRET: secrets.API_KEY_MAC_SECRET,
    WEBHOOK_SECRET_KEY: secrets.WEBHOOK_SECRET_KEY,
    DATABASE_URL: databaseUrl,
    // Somebody is watching: closed windows need not wait for company, as they do where each flush costs money.
    FLUSH_INTERVAL_MS: '2000',
  }
  for (const name of PASSED_ON) {
    const value = environment[name]
    if (value !== undefined) bindings[name] = value
  }
  if (proxyPort !== undefined) bindings['NEON_PROXY_URL'] = `http://127.0.0.1:${proxyPort}/sql`
  if (allowPrivateWebhooks) bindings['WEBHOOK_ALLOW_PRIVATE'] = '1'
  return bindings
}
