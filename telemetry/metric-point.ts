/** What happened, of how many, and how long it took; what is left out is 0. */
export interface Measurement {
  /** `ingest`: a request; `store`: batches to Postgres; `windows`: a flush to Postgres; `shard`: a look at its outbox. */
  kind: 'ingest' | 'store' | 'windows' | 'shard'
  tenantId: string
  /** `accepted`, `duplicate`, `persisted`, `pending`, or the code of what went wrong. */
  outcome: string
  /** The route of a request; the number of a shard. */
  detail?: string | undefined
  batches?: number
  datapoints?: number
  rejected?: number
  bytes?: number
  durationMs?: number
  /** From the 202 to the commit in Postgres: of the batches stored, the longest. */
  lagMs?: number
  /** Since the oldest batch that Postgres has not confirmed was accepted. */
  oldestPendingMs?: number
  windows?: number
}

/** A datapoint as Workers Analytics Engine takes it. */
export interface MetricPoint {
  indexes: [string]
  blobs: string[]
  doubles: number[]
}

/** In this order, as `blob1` … and `double1` …: stored ones cannot be renamed, so add at the end. */
export const BLOBS = ['kind', 'outcome', 'detail'] as const
export const DOUBLES = [
  'batches',
  'datapoints',
  'rejected',
  'bytes',
  'durationMs',
  'lagMs',
  'oldestPendingMs',
  'windows',
] as const

/** Its index, by which the engine samples what is much, is the tenant: a busy one costs no other its rows. */
export function metricPoint(measured: Measurement): MetricPoint {
  return {
    indexes: [measured.tenantId],
    blobs: BLOBS.map((column) => measured[column] ?? ''),
    doubles: DOUBLES.map((column) => measured[column] ?? 0),
  }
}

/** Tells the engine, which takes it without an answer. Never fails, also where a runtime has no such binding. */
export function measure(
  dataset: { writeDataPoint(point: MetricPoint): void } | undefined,
  measured: Measurement,
): void {
  try {
    dataset?.writeDataPoint(metricPoint(measured))
  } catch {
    // A request is worth more than its measurement.
  }
}
