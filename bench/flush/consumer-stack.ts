import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import pg from 'pg'
import { buildStale } from '../../local/build-stale.ts'
import { miniflareOptions } from '../../local/miniflare-options.ts'
import { startNeonProxy } from '../../local/neon-proxy.ts'
import { freePort } from '../../local/ports.ts'
import { startPostgres } from '../../local/postgres.ts'
import { QUIET_TOOLS } from '../../local/quiet-tools.ts'
import { readEnvironment } from '../../local/settings.ts'
import { bundleOf } from '../../local/worker-bundle.ts'
import { migrate } from '../../migrations/migrate.ts'

const ADMIN_TOKEN = 'bench'
const QUEUE = 'edgepulse-batches'

export interface BatchMessage {
  tenant_id: string
  batch_id: string
  r2_key: string
}

export interface ConsumerStack {
  /** Where the Worker answers, and who administers it. */
  api: { url: string; token: string }
  databaseUrl: string
  /** Hands messages to the consumer as one queue batch, and waits until it has answered for each. */
  deliver(bodies: BatchMessage[]): Promise<void>
  stop(): Promise<void>
}

/**
 * The product's Worker in the Workers runtime, with its objects and R2, in front of an embedded Postgres that syncs
 * its log as that of `npm start` does. No queue calls its consumers: `deliver` does, in the queue's place.
 */
export async function startConsumerStack(): Promise<ConsumerStack> {
  const dir = await mkdtemp(path.join(tmpdir(), 'edgepulse-bench-'))
  await chmod(dir, 0o755) // run as root, Postgres is another user and must get in
  const postgres = await startPostgres({ dir: path.join(dir, 'postgres'), port: await freePort() })
  await migrate(postgres.databaseUrl)
  const proxy = await startNeonProxy({ port: 0, postgresPort: Number(new URL(postgres.databaseUrl).port) })
  const { worker, url } = await startWorker(dir, {
    DATABASE_URL: postgres.databaseUrl,
    NEON_PROXY_URL: `http://127.0.0.1:${proxy.port}/sql`,
  })
  const consumer = await worker.getWorker()
  return {
    api: { url, token: ADMIN_TOKEN },
    databaseUrl: postgres.databaseUrl,
    deliver: async (bodies) => {
      const messages = bodies.map((body, i) => ({ id: `m${i}`, timestamp: new Date(), attempts: 1, body }))
      const { outcome, explicitAcks } = await consumer.queue(QUEUE, messages)
      if (outcome !== 'ok' || explicitAcks.length < bodies.length) {
        throw new Error(
          `The consumer stored ${explicitAcks.length} of ${bodies.length} batches (${outcome}).`,
        )
      }
    },
    stop: async () => {
      await worker.dispose()
      await proxy.stop()
      await postgres.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

async function startWorker(dir: string, database: Record<string, string>) {
  const bindings = {
    ...{ ADMIN_TOKEN, API_KEY_MAC_SECRET: 'bench', ...database },
    // What the shard does by the clock stays out of what is measured.
    ...{ RESEND_AFTER_MS: '3600000', FLUSH_INTERVAL_MS: '3600000' },
    WEBHOOK_SECRET_KEY: randomBytes(32).toString('base64'),
  }
  // wrangler looks for the secrets that wrangler.toml requires in the environment.
  Object.assign(process.env, QUIET_TOOLS, bindings)
  const bundleDir = path.join(dir, 'worker')
  await buildStale(bundleDir, { environment: readEnvironment(process.env) }, () => {})
  const port = await freePort()
  const options = miniflareOptions({
    ...{ bundle: bundleOf(bundleDir), port, persistDir: path.join(dir, 'platform'), bindings },
    s3Credentials: { accessKeyId: 'bench', secretAccessKey: 'bench' },
  })
  Reflect.deleteProperty(options, 'assets') // they would put two Workers in front of the product's
  const worker = new Miniflare(
    convertV4MiniflareOptions({ ...options, queueConsumers: {}, handleStructuredLogs: () => {} }),
  )
  await worker.ready
  return { worker, url: `http://127.0.0.1:${port}` }
}

/** Runs statements as the superuser. */
export async function withDatabase<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  return work(client).finally(() => client.end())
}
