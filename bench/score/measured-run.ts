import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { NODE } from '../../local/settings.ts'

const CLI = path.join(import.meta.dirname, '..', '..', 'ml-service', 'cli.ts')
const LOOK_MS = 100

export interface MeasuredRun {
  seconds: number
  /** The most memory the process had resident; undefined where the system does not tell. */
  peakMebibytes: number | undefined
  stdout: string
}

/** Runs one command of the ML service in a process of its own, its start included. Throws when it fails. */
export async function measuredRun(args: string[], env: Record<string, string>): Promise<MeasuredRun> {
  const begun = performance.now()
  const child = spawn(NODE, [CLI, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let peakMebibytes: number | undefined
  const looking = setInterval(() => {
    peakMebibytes = peakOf(child.pid) ?? peakMebibytes
  }, LOOK_MS)
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString()).slice(-2000)
  })
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  clearInterval(looking)
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}: ${stderr}`)
  return { seconds: (performance.now() - begun) / 1000, peakMebibytes, stdout }
}

function peakOf(pid: number | undefined): number | undefined {
  try {
    const kibibytes = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return kibibytes === undefined ? undefined : Math.round(Number(kibibytes) / 1024)
  } catch {
    return undefined
  }
}
