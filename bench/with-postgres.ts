import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { freePort } from '../local/ports.ts'
import { startPostgres } from '../local/postgres.ts'
import { migrate } from '../migrations/migrate.ts'

/** What the command line works with. */
export type BenchEnvironment = Record<'DATABASE_URL' | 'MODEL_DIR', string>

/** Does `work` with a migrated Postgres and an empty folder for artefacts, both of which go afterwards. */
export async function withPostgres<T>(
  options: { durable: boolean },
  work: (environment: BenchEnvironment) => Promise<T>,
): Promise<T> {
  const dir = await mkdtemp(path.join(tmpdir(), 'edgepulse-bench-'))
  try {
    await chmod(dir, 0o755) // run as root, Postgres is another user and must get in
    const postgres = await startPostgres({ dir: path.join(dir, 'pg'), port: await freePort(), ...options })
    try {
      await migrate(postgres.databaseUrl)
      return await work({ DATABASE_URL: postgres.databaseUrl, MODEL_DIR: path.join(dir, 'models') })
    } finally {
      await postgres.stop()
    }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
