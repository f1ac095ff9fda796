import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import path from 'node:path'

/**
 * Removes the `postmaster.pid` of a killed Postgres whose process id now belongs to something else: Postgres
 * would take that for another server on the same data and refuse to start. It checks everything else itself.
 */
export function removeForeignLockFile(dir: string): void {
  const file = path.join(dir, 'postmaster.pid')
  const pid = firstLine(file)
  if (!/^\d+$/.test(pid)) return
  const { stdout } = spawnSync('ps', ['-o', 'args=', '-p', pid], { encoding: 'utf8' })
  const command = stdout?.trim()
  if (command && !command.includes('postgres')) rmSync(file, { force: true })
}

function firstLine(file: string): string {
  try {
    return readFileSync(file, 'utf8').split('\n')[0] ?? ''
  } catch {
    return ''
  }
}
