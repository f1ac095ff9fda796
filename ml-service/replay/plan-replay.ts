import type { ManifestEntry } from '../../telemetry/manifest.ts'

/** Objects in memory at once: each inflates to 16 MiB at most. */
const MAX_OBJECTS = 8
const MAX_DATAPOINTS = 100_000

/** Half-open range of event time, epoch ms. */
export interface Range {
  from: number
  to: number
}

/** The batches to load: those with a datapoint in the range that retention would not delete at once. */
export function wantedEntries(
  entries: ManifestEntry[],
  { from, to }: Range,
  keepFrom: number,
): ManifestEntry[] {
  return entries.filter(({ min_ts, max_ts }) => {
    const latest = Date.parse(max_ts)
    return latest >= from && latest >= keepFrom && Date.parse(min_ts) < to
  })
}

/** Cuts batches into runs that fit into memory together, in order; a batch is never cut. */
export function* runsOf<Batch extends { datapoints: number }>(
  batches: Batch[],
  { maxObjects = MAX_OBJECTS, maxDatapoints = MAX_DATAPOINTS } = {},
): Generator<Batch[]> {
  let run: Batch[] = []
  let datapoints = 0
  for (const batch of batches) {
    if (run.length === maxObjects || (run.length > 0 && datapoints + batch.datapoints > maxDatapoints)) {
      yield run
      run = []
      datapoints = 0
    }
    run.push(batch)
    datapoints += batch.datapoints
  }
  if (run.length > 0) yield run
}

/** The least range of event time that holds these batches; undefined for none. */
export function spanOf(entries: Pick<ManifestEntry, 'min_ts' | 'max_ts'>[]): Range | undefined {
  if (entries.length === 0) return undefined
  const from = Math.min(...entries.map(({ min_ts }) => Date.parse(min_ts)))
  const to = Math.max(...entries.map(({ max_ts }) => Date.parse(max_ts))) + 1
  return { from, to }
}

export function joined(a: Range | undefined, b: Range | undefined): Range | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return { from: Math.min(a.from, b.from), to: Math.max(a.to, b.to) }
}
