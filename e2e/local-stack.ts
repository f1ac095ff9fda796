import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, vi } from 'vitest'
import { type DevFile, readDevFile } from '../local/dev-file.ts'
import { freePort } from '../local/ports.ts'
import { identify, isAlive, type ProcessIdentity } from '../local/process-identity.ts'
import { ROOT } from '../local/settings.ts'

/** A state folder and ports of one's own. */
export interface Place {
  stateDir: string
  environment: Record<string, string>
  remove(): void
}

export async function makePlace(environment: Record<string, string> = {}): Promise<Place> {
  const stateDir = path.join(mkdtempSync(path.join(tmpdir(), 'edgepulse-e2e-')), 'state')
  const ports = { EDGEPULSE_PORT: String(await freePort()), EDGEPULSE_PG_PORT: String(await freePort()) }
  return {
    stateDir,
    environment: { ...ports, EDGEPULSE_STATE_DIR: stateDir, ...environment },
    remove: () => rmSync(path.dirname(stateDir), { recursive: true, force: true }),
  }
}

/** A command as a person starts it in a terminal, and what it printed so far. */
export interface Run {
  child: ChildProcess
  output(): string
  exited: Promise<number | null>
}

export function run(
  script: 'start' | 'demo' | 'dev' | 'admin' | 'ml',
  { environment }: Place,
  args: string[] = [],
): Run {
  // What the test runner has set for itself is none of the command's business.
  const { NODE_ENV: _, VITEST: __, ...own } = process.env
  const child = spawn('npm', ['run', '--silent', script, '--', ...args], {
    cwd: ROOT,
    env: { ...own, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk
    })
  }
  return {
    child,
    output: () => output,
    exited: new Promise((resolve) => child.once('close', resolve)),
  }
}

/** Stops a stack as Ctrl-C does, and removes what it kept. */
export async function end({ child, exited }: Run, { remove }: Place): Promise<void> {
  child.kill('SIGTERM')
  await exited
  remove()
}

/** Waits for dev.json, which is written once every part answers. */
export function untilReady({ output, child }: Run, { stateDir }: Place): Promise<DevFile> {
  const look = () => {
    const file = readDevFile(stateDir)
    if (!file) throw new Error(`${child.exitCode === null ? 'not ready yet' : 'ended'}: ${output()}`)
    return file
  }
  return vi.waitFor(look, { timeout: 60_000, interval: 50 })
}

/** `pid` and everything it started, however deep. */
export function processTree(pid: number): ProcessIdentity[] {
  const parents = parentsOfAll()
  const found = [pid]
  for (const parent of found) for (const [child, of] of parents) if (of === parent) found.push(child)
  return found.map(identify).filter((identity) => identity !== undefined)
}

/** Every process with its parent. Not every Linux has `ps`; nothing else has /proc. */
function parentsOfAll(): [number, number][] {
  if (!existsSync('/proc/self/stat')) {
    const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
    return [...stdout.matchAll(/(\d+)\s+(\d+)/g)].map(([, pid, parent]) => [Number(pid), Number(parent)])
  }
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => [Number(pid), parentFromProc(pid)])
}

function parentFromProc(pid: string): number {
  try {
    return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[1])
  } catch {
    return 0 // it has just gone
  }
}

/** Waits until none of `processes` is left. */
export async function untilGone(processes: ProcessIdentity[]): Promise<void> {
  await expect.poll(() => processes.filter(isAlive), { timeout: 15_000, interval: 50 }).toEqual([])
}
