import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { TestProject } from 'vitest/node'
import { migrate } from '../migrations/migrate.ts'
import { startNeonProxy } from './neon-proxy.ts'
import { startPostgres } from './postgres.ts'
import { serviceLogins } from './service-logins.ts'

/** Vitest's global setup: one embedded Postgres and one Neon proxy for the whole run. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dir = await mkdtemp(path.join(tmpdir(), 'edgepulse-test-'))
  await chmod(dir, 0o755) // run as root, Postgres is another user and must get in
  const postgres = await startPostgres({ dir: path.join(dir, 'pg'), port: await freePort(), durable: false })
  await migrate(postgres.databaseUrl)
  const logins = await serviceLogins(postgres.databaseUrl)
  const proxy = await startNeonProxy({ port: 0, postgresPort: Number(new URL(postgres.databaseUrl).port) })
  project.provide('databaseUrl', postgres.databaseUrl)
  project.provide('workerBindings', {
    DATABASE_URL: logins.edge,
    NEON_PROXY_URL: `http://127.0.0.1:${proxy.port}/sql`,
    ADMIN_TOKEN: 'test-admin-token',
    API_KEY_MAC_SECRET: 'test-mac-secret',
    WEBHOOK_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
    FLUSH_INTERVAL_MS: '1',
    RESEND_AFTER_MS: '2000',
    // Property tests of the Workers runtime read how long a campaign is to be, and a seed to repeat one.
    PROPERTY_RUNS: process.env['PROPERTY_RUNS'] ?? '200',
    PROPERTY_SEED: process.env['PROPERTY_SEED'] ?? String(Date.now() % 1_000_000_000),
  })
  return async () => {
    await proxy.stop()
    await postgres.stop()
    await rm(dir, { recursive: true, force: true })
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : 0)
    })
  })
  await new Promise((resolve) => server.close(resolve))
  return port
}
