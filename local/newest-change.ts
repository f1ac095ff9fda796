import { readdirSync, statSync } from 'node:fs'
import path from 'node:path'

/** When anything but tests under `place` (a file or a folder) last changed, in epoch ms; 0 when it does not exist. */
export function newestChange(place: string): number {
  const stats = statSync(place, { throwIfNoEntry: false })
  if (!stats) return 0
  if (!stats.isDirectory()) return stats.mtimeMs
  return readdirSync(place)
    .filter((name) => !/^(\.|dist$|node_modules$)|\.test\.ts$/.test(name))
    .map((name) => newestChange(path.join(place, name)))
    .reduce((newest, ms) => Math.max(newest, ms), 0)
}

/** Whether `output` is missing or older than one of the `sources` it is made from. */
export function isStale(output: string, sources: string[]): boolean {
  const made = statSync(output, { throwIfNoEntry: false })?.mtimeMs ?? 0
  return sources.some((source) => newestChange(source) > made)
}
