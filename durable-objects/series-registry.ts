import { createHash } from 'node:crypto'
import type { SeriesName } from '../telemetry/columns.ts'

/** 52 bits of a SHA-256: whole numbers that a double holds, of which a million collide with a chance of 1 in 9,000. */
export function seriesHashOf({ device, metric }: SeriesName): number {
  const hash = createHash('sha256').update(`${device}\0${metric}`).digest()
  return hash.readUIntBE(0, 6) * 16 + (hash[6]! >> 4)
}

/** All hashes of stored rows, each a run of doubles. */
export function readSeries(rows: Iterable<{ hashes: ArrayBuffer }>): Set<number> {
  const known = new Set<number>()
  for (const { hashes } of rows) for (const hash of new Float64Array(hashes)) known.add(hash)
  return known
}

/**
 * Which of `wanted` may have datapoints, given those known and the limit: known ones always, new ones in their
 * order while there is room. `added` are the new ones among them.
 */
export function registerSeries(
  known: ReadonlySet<number>,
  wanted: Iterable<number>,
  limit: number,
): { accepted: Set<number>; added: number[] } {
  const accepted = new Set<number>()
  const added = new Set<number>()
  for (const hash of wanted) {
    if (!known.has(hash)) {
      if (known.size + added.size >= limit && !added.has(hash)) continue
      added.add(hash)
    }
    accepted.add(hash)
  }
  return { accepted, added: [...added] }
}
