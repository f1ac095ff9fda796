import { linkSync, mkdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import * as v from 'valibot'
import { readJson, writeJsonAtomically } from './atomic-file.ts'
import { removeDevFile } from './dev-file.ts'
import {
  endLeftover,
  identify,
  isAlive,
  type ProcessIdentity,
  processIdentitySchema,
} from './process-identity.ts'
import { SettingsError } from './settings.ts'

const recordSchema = v.object({
  supervisor: processIdentitySchema,
  parts: v.record(v.string(), processIdentitySchema),
})
type StateRecord = v.InferOutput<typeof recordSchema>

/** The state folder while this process owns it. */
export interface StateFolder {
  dir: string
  /** Remembers a child, so that it can be ended in any case: by `endRecorded`, or by the next start. */
  record(name: string, pid: number): void
  /** Ends the remembered children that still run, the newest first. */
  endRecorded(): Promise<void>
  /** false once the folder was deleted, or deleted and taken by another supervisor. */
  isOurs(): boolean
  release(): void
}

/**
 * Takes `dir` for this process. Ends what a killed supervisor left running there; throws a `SettingsError` when
 * another supervisor is at work on it.
 */
export async function claimStateFolder(dir: string, log: (line: string) => void): Promise<StateFolder> {
  mkdirSync(dir, { recursive: true })
  const file = path.join(dir, 'supervisor.json')
  const supervisor = identify(process.pid)
  if (!supervisor) throw new Error('Cannot read the start time of processes on this system.')
  const record: StateRecord = { supervisor, parts: {} }
  while (!create(file, record)) {
    const earlier = readJson(file, recordSchema)
    if (earlier && isAlive(earlier.supervisor)) {
      throw new SettingsError(
        `Another EdgePulse (process ${earlier.supervisor.pid}) uses the state folder ${dir}: stop it, or set EDGEPULSE_STATE_DIR to another folder.`,
      )
    }
    await endAll(earlier?.parts ?? {}, (name, pid) => {
      log(`Ending ${name} (process ${pid}), which an earlier run left behind.`)
    })
    removeDevFile(dir)
    rmSync(file, { force: true })
  }
  const isOurs = () => readJson(file, recordSchema)?.supervisor.started === supervisor.started
  const save = () => isOurs() && writeJsonAtomically(file, record)
  return {
    dir,
    record: (name, pid) => {
      const identity = identify(pid)
      if (identity) record.parts[name] = identity
      save()
    },
    endRecorded: () => endAll(record.parts, () => {}),
    isOurs,
    release: () => {
      if (!isOurs()) return
      removeDevFile(dir)
      rmSync(file, { force: true })
    },
  }
}

/** Writes `file` unless it exists; a hard link is the atomic step that fails when it does. */
function create(file: string, record: StateRecord): boolean {
  const unfinished = `${file}.new-${process.pid}`
  writeJsonAtomically(unfinished, record)
  try {
    linkSync(unfinished, file)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(unfinished, { force: true })
  }
}

async function endAll(
  parts: Record<string, ProcessIdentity>,
  found: (name: string, pid: number) => void,
): Promise<void> {
  for (const [name, identity] of Object.entries(parts).reverse()) {
    if (!isAlive(identity)) continue
    found(name, identity.pid)
    if (name === 'initdb') process.kill(-identity.pid, 'SIGKILL') // with its helpers; what it made is made anew
    // SIGINT is Postgres' fast shutdown; everyone else takes SIGTERM.
    await endLeftover(identity, name === 'postgres' ? 'SIGINT' : 'SIGTERM', 10_000)
  }
}
