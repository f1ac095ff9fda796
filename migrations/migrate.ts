import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import pg from 'pg'

const SQL_DIR = new URL('./sql/', import.meta.url)

/** Serialises runners that start at the same time; any constant does, as long as nobody else uses it. */
const ADVISORY_LOCK = 7_203_114_001

export interface Migration {
  name: string
  sql: string
  sha256: string
}

/** The numbered files of `migrations/sql` in order. */
export function readMigrations(dir: URL = SQL_DIR): Migration[] {
  return readdirSync(dir)
    .filter((file) => file.endsWith('.sql'))
    .sort()
    .map((file) => {
      const sql = readFileSync(new URL(file, dir), 'utf8')
      return { name: file.replace('.sql', ''), sql, sha256: createHash('sha256').update(sql).digest('hex') }
    })
}

/**
 * Brings the database at `databaseUrl` to the newest schema and returns the names applied now ([] when it
 * was current). Each file runs in its own transaction. Throws when a file that was applied has changed since:
 * migrations are written once and never edited.
 */
export async function migrate(databaseUrl: string, migrations = readMigrations()): Promise<string[]> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    await client.query('select pg_advisory_lock($1)', [ADVISORY_LOCK])
    return await applyPending(client, migrations)
  } finally {
    await client.end() // also releases the lock
  }
}

async function applyPending(client: pg.Client, migrations: Migration[]): Promise<string[]> {
  await client.query(`create table if not exists schema_migrations (
    name text primary key, sha256 text not null, applied_at timestamptz not null default now())`)
  const { rows } = await client.query<{ name: string; sha256: string }>(
    'select name, sha256 from schema_migrations',
  )
  const applied = new Map(rows.map((row) => [row.name, row.sha256]))
  const done: string[] = []
  for (const migration of migrations) {
    const before = applied.get(migration.name)
    if (before === migration.sha256) continue
    if (before !== undefined) {
      throw new Error(`Migration ${migration.name} was edited after it was applied; write a new one instead.`)
    }
    await apply(client, migration)
    done.push(migration.name)
  }
  return done
}

async function apply(client: pg.Client, { name, sql, sha256 }: Migration): Promise<void> {
  try {
    await client.query('begin')
    await client.query(sql)
    await client.query('insert into schema_migrations (name, sha256) values ($1, $2)', [name, sha256])
    await client.query('commit')
  } catch (cause) {
    await client.query('rollback')
    throw new Error(`Migration ${name} failed and was rolled back.`, { cause })
  }
}

if (import.meta.main) {
  const databaseUrl = process.env['DATABASE_URL']
  if (!databaseUrl) {
    console.error('Set DATABASE_URL to the database to migrate.')
    process.exit(2)
  }
  const applied = await migrate(databaseUrl)
  console.log(applied.length ? `applied ${applied.join(', ')}` : 'nothing to apply')
}
