import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'

/**
 * Removes the `postmaster.pid` of a killed Postgres whose process id now belongs to something else: Postgres
 * would take that for another server on the same data and refuse to start. It checks everything else itself.
 */
export function removeForeignLockFile(dir: string): void {
  const file = path.join(dir, 'postmaster.pid')
  const pid = read(file).split('\n')[0] ?? ''
  if (!/^\d+$/.test(pid)) return
  const command = commandLineOf(pid)
  if (command && !command.includes('postgres')) rmSync(file, { force: true })
}

function commandLineOf(pid: string): string {
  if (existsSync('/proc/self/cmdline')) return read(`/proc/${pid}/cmdline`)
  return spawnSync('ps', ['-o', 'args=', '-p', pid], { encoding: 'utf8' }).stdout ?? ''
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
