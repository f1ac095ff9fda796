/** What a deployment needs of the account, by the names of wrangler.toml. */
export interface Needed {
  buckets: string[]
  queues: string[]
  secrets: string[]
}

/** Runs wrangler; resolves with whether it succeeded, and what it wrote to stdout. */
export type Wrangler = (...args: string[]) => Promise<{ ok: boolean; stdout: string }>

export interface Missing {
  what: string
  /** The command that mends it. */
  command: string
}

/**
 * What is missing, each with the command that mends it; empty: nothing. Without a login nothing else can be asked.
 * Asks one thing after the other: Cloudflare's API counts calls.
 */
export async function missingOf(needed: Needed, wrangler: Wrangler, env: string[]): Promise<Missing[]> {
  const login = await wrangler('whoami', '--json')
  if (!login.ok || !login.stdout.includes('"loggedIn":true')) {
    return [{ what: 'a login to Cloudflare', command: 'npx wrangler login' }]
  }
  const missing: Missing[] = []
  for (const name of needed.buckets) {
    if ((await wrangler('r2', 'bucket', 'info', name)).ok) continue
    missing.push({ what: `the bucket ${name}`, command: `npx wrangler r2 bucket create ${name}` })
  }
  for (const name of needed.queues) {
    if ((await wrangler('queues', 'info', name)).ok) continue
    missing.push({ what: `the queue ${name}`, command: `npx wrangler queues create ${name}` })
  }
  const { stdout } = await wrangler('secret', 'list', ...env)
  for (const name of needed.secrets.filter((name) => !stdout.includes(`"${name}"`))) {
    const command = ['npx wrangler secret put', name, ...env].join(' ')
    missing.push({ what: `the secret ${name}`, command })
  }
  return missing
}
