// `npm run schema`: writes migrations/schema.txt anew, from an empty database that took every migration.
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describeSchema } from '../migrations/describe-schema.ts'
import { migrate } from '../migrations/migrate.ts'
import { freePort } from './ports.ts'
import { startPostgres } from './postgres.ts'
import { ROOT } from './settings.ts'

const dir = await mkdtemp(path.join(tmpdir(), 'edgepulse-schema-'))
await chmod(dir, 0o755) // run as root, Postgres is another user and must get in
const postgres = await startPostgres({ dir: path.join(dir, 'pg'), port: await freePort(), durable: false })
try {
  await migrate(postgres.databaseUrl)
  await writeFile(path.join(ROOT, 'migrations/schema.txt'), await describeSchema(postgres.databaseUrl))
} finally {
  await postgres.stop()
  await rm(dir, { recursive: true, force: true })
}
