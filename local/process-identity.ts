import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import * as v from 'valibot'

/** A process id is used again after its process ended; together with its start it names one process for good. */
export const processIdentitySchema = v.object({ pid: v.number(), started: v.string() })
export type ProcessIdentity = v.InferOutput<typeof processIdentitySchema>

/** Who runs under `pid` now; undefined when nobody does (a zombie is nobody). */
export function identify(pid: number): ProcessIdentity | undefined {
  const started = existsSync('/proc/self/stat') ? startFromProc(pid) : startFromPs(pid)
  return started === undefined ? undefined : { pid, started }
}

export const isAlive = (identity: ProcessIdentity) => identify(identity.pid)?.started === identity.started

/** Ends a process that is nobody's child here: `signal` first, SIGKILL when it has not gone within `graceMs`. */
export async function endLeftover(
  identity: ProcessIdentity,
  signal: NodeJS.Signals,
  graceMs: number,
): Promise<void> {
  for (const [next, waitMs] of [
    [signal, graceMs],
    ['SIGKILL', 5_000],
  ] as const) {
    if (!isAlive(identity)) return
    try {
      process.kill(identity.pid, next)
    } catch {
      return // it went between the two lines
    }
    for (let waited = 0; waited < waitMs && isAlive(identity); waited += 50) await sleep(50)
  }
}

/** Linux: field 22 of /proc/PID/stat counts ticks since boot, so the boot's id belongs to it. */
function startFromProc(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ') // the name before may hold spaces
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}:${fields[19]}`
  } catch {
    return undefined
  }
}

function startFromPs(pid: number): string | undefined {
  const { stdout } = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' })
  return stdout?.trim() || undefined
}
