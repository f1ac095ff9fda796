// `npm run deploy [-- --env staging]`: the Worker with the dashboard, on Cloudflare. Checks what the account must
// have, migrates, deploys, and asks the deployed Worker how it is. infra/README.md tells how the ML service follows.
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { migrate } from '../migrations/migrate.ts'
import { VERSION } from '../worker/version.ts'
import { missingOf, type Needed, type Wrangler } from './deploy-prerequisites.ts'
import { NODE, ROOT } from './settings.ts'
import { DASHBOARD_STEP, runSteps, toolStep } from './steps.ts'
import { wranglerConfig } from './wrangler-config.ts'

const HEALTH_DEADLINE_MS = 60_000

const wrangler: Wrangler = async (...args) => {
  const command = [path.join(ROOT, 'node_modules', '.bin', 'wrangler'), ...args]
  const { status, stdout } = spawnSync(NODE, command, { cwd: ROOT, encoding: 'utf8' })
  return { ok: status === 0, stdout }
}

function neededBy(env: string): Needed {
  const { queues, r2_buckets, secrets } = wranglerConfig(env)
  return {
    buckets: r2_buckets.map(({ bucket_name }) => bucket_name),
    queues: queues.consumers.map(({ queue }) => queue),
    secrets: secrets.required,
  }
}

/** Waits until the deployed version answers: a deployment reaches all places within seconds. */
async function untilHealthy(url: string): Promise<void> {
  const until = Date.now() + HEALTH_DEADLINE_MS
  for (;;) {
    const answer = await fetch(new URL('/v1/health', url)).catch(() => undefined)
    const text = answer?.ok ? await answer.text() : ''
    if (text.includes(`"version":"${VERSION}"`)) return
    if (Date.now() > until) throw new Error(`${url}/v1/health does not answer with version ${VERSION}.`)
    await new Promise((resolve) => setTimeout(resolve, 1000))
  }
}

async function deploy(env: string): Promise<void> {
  const { DATABASE_URL: databaseUrl, EDGEPULSE_URL: url } = process.env
  if (!databaseUrl)
    throw new Error('Set DATABASE_URL to the database to migrate, as the owner of its tables.')
  if (!url) throw new Error('Set EDGEPULSE_URL to the address at which the Worker will answer.')
  const inEnvironment = env === '' ? [] : ['--env', env]
  const missing = await missingOf(neededBy(env), wrangler, inEnvironment)
  if (missing.length > 0) {
    const lines = missing.map(({ what, command }) => `  ${what}: ${command}`)
    throw new Error(`This is missing:\n${lines.join('\n')}`)
  }
  const applied = await migrate(databaseUrl)
  console.log(applied.length > 0 ? `applied ${applied.join(', ')}` : 'no migration to apply')
  const code = await runSteps([DASHBOARD_STEP, toolStep('Worker', 'wrangler', ['deploy', '--env', env])])
  if (code !== 0) throw new Error('The deployment failed; what was deployed before goes on running.')
  await untilHealthy(url)
  console.log(`${url} answers with version ${VERSION}`)
}

try {
  const { values } = parseArgs({ options: { env: { type: 'string', default: '' } } })
  await deploy(values.env)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
process.disconnect?.() // the channel to run.mjs would keep this process
