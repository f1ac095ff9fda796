/** A batch that named a unit; `version` as `versionOf` gives it. */
export interface UnitSeen {
  unit: string
  version: number
}

/** What is kept of all the batches that named a unit of one metric. */
export interface UnitRecord {
  /** The one received last. */
  last: UnitSeen
  /** The last one that named another unit. */
  previous: UnitSeen | undefined
  /** Version of the first one known after `previous`: when the unit changed. */
  since: number
}

/**
 * The record with one more batch. Whatever the order of the batches, `last` and `previous` come out the same,
 * and so does `since` unless one that goes back to the old unit comes in behind newer ones: then it may be late
 * by these. `upsertMetrics` picks the same three in SQL.
 */
export function withUnit(record: UnitRecord | undefined, added: UnitSeen): UnitRecord {
  if (record === undefined) return { last: added, previous: undefined, since: added.version }
  const first = { unit: record.last.unit, version: record.since }
  const seen = [record.last, first, added]
  if (record.previous) seen.push(record.previous)
  const last = seen.reduce(later)
  const others = seen.filter(({ unit }) => unit !== last.unit)
  const previous = others.length === 0 ? undefined : others.reduce(later)
  const after = seen.filter(({ unit, version }) => unit === last.unit && version > (previous?.version ?? 0))
  const since = after.reduce((least, { version }) => Math.min(least, version), last.version)
  return { last, previous, since }
}

/** Of two batches with the same version, that with the greater unit counts as the later one. */
const later = (a: UnitSeen, b: UnitSeen): UnitSeen =>
  b.version > a.version || (b.version === a.version && b.unit > a.unit) ? b : a
