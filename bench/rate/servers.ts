import { randomBytes, randomUUID } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import type { KeyRecord, Plan } from '../../durable-objects/tenant-config.ts'
import { buildStale } from '../../local/build-stale.ts'
import { miniflareOptions } from '../../local/miniflare-options.ts'
import { freePort } from '../../local/ports.ts'
import { QUIET_TOOLS } from '../../local/quiet-tools.ts'
import { readEnvironment } from '../../local/settings.ts'
import { bundleOf } from '../../local/worker-bundle.ts'
import { makeKey, parseKey } from '../../worker/api-key.ts'

const plan: Plan = {
  ...{ retentionDays: 35, seriesLimit: 100_000, shards: 1, rateLimit: null, allowedLatenessMs: 60_000 },
}

/** Where Linux has a file system in memory. */
const IN_MEMORY = '/dev/shm'

export interface Server {
  /** Where batches are posted. */
  url: string
  headers: Record<string, string>
}

export interface Servers {
  bare: Server
  /** A tenant of its own for each name. */
  edgepulse: Server[]
  stop(): Promise<void>
}

/** What is called of the Worker's bindings. */
interface Bindings {
  TENANT_CONTROL: {
    getByName(tenantId: string): {
      create(plan: Plan): Promise<void>
      addKey(key: KeyRecord & { name: string | null; createdAt: number }): Promise<string>
    }
  }
}

/**
 * Starts the product's Worker as a local run does, and a bare one beside it. Neither has a queue consumer, so that
 * what is measured is accepting batches; and nothing needs a database. Neither serves assets: the local runtime would
 * put two Workers of its own in front of the product's. And both keep their state in memory where that is possible:
 * the local runtime stands still while it waits for a disk, once for R2 and once for the object, which is to measure
 * the disk.
 */
export async function startServers(tenants: number): Promise<Servers> {
  const dir = mkdtempSync(path.join(existsSync(IN_MEMORY) ? IN_MEMORY : tmpdir(), 'edgepulse-bench-'))
  const bindings = {
    ...{ ADMIN_TOKEN: 'bench', API_KEY_MAC_SECRET: 'bench', DATABASE_URL: 'postgresql://127.0.0.1:1/none' },
    ...{ WEBHOOK_SECRET_KEY: randomBytes(32).toString('base64'), RESEND_AFTER_MS: '3600000' },
  }
  // wrangler looks for the secrets that wrangler.toml requires in the environment.
  Object.assign(process.env, QUIET_TOOLS, bindings)
  await buildStale(dir, { environment: readEnvironment(process.env) }, () => {})
  const [port, barePort] = [await freePort(), await freePort()]
  const common = { host: '127.0.0.1', cf: false, telemetry: { enabled: false } } as const
  const runner = {
    ...{ bundle: bundleOf(dir), port, persistDir: path.join(dir, 'platform'), bindings },
    s3Credentials: { accessKeyId: 'bench', secretAccessKey: 'bench' },
  }
  const options = miniflareOptions(runner)
  Reflect.deleteProperty(options, 'assets')
  const product = new Miniflare(
    convertV4MiniflareOptions({
      ...options,
      queueConsumers: {},
      handleStructuredLogs: () => {},
    }),
  )
  const bare = new Miniflare(
    convertV4MiniflareOptions({
      ...common,
      ...{ name: 'bare', port: barePort, compatibilityDate: '2026-08-04' },
      modules: [{ type: 'ESModule', path: fileURLToPath(new URL('./bare-worker.js', import.meta.url)) }],
      modulesRoot: fileURLToPath(new URL('.', import.meta.url)),
      r2Buckets: ['ARCHIVE'],
      queueProducers: { BATCHES: 'bare-batches' },
      resourcePersistencePath: path.join(dir, 'bare'),
    }),
  )
  await Promise.all([product.ready, bare.ready])
  const keys = await Promise.all(Array.from({ length: tenants }, () => newTenant(product)))
  const type = { 'content-type': 'application/json' }
  return {
    bare: { url: `http://127.0.0.1:${barePort}/`, headers: type },
    edgepulse: keys.map((key) => {
      return { url: `http://127.0.0.1:${port}/v1/ingest`, headers: { ...type, 'x-api-key': key } }
    }),
    stop: async () => {
      await Promise.all([product.dispose(), bare.dispose()])
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

async function newTenant(product: Miniflare): Promise<string> {
  const id = randomUUID()
  const key = makeKey(id, randomBytes(16), 'bench')
  const hash = parseKey(key, ['bench'])!.hash
  const { TENANT_CONTROL } = await product.getBindings<Bindings>()
  const control = TENANT_CONTROL.getByName(id)
  await control.create(plan)
  const record = { id: randomUUID(), hash, scopes: ['ingest' as const], expiresAt: null, revokedAt: null }
  await control.addKey({ ...record, name: null, createdAt: Date.now() })
  return key
}
