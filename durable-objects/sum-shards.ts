import type { ShardStatus } from './shard-status.ts'
import type { DayUsage } from './window-frames.ts'

/** The usage of a tenant, day by day, from that of its shards. */
export function sumUsage(shards: DayUsage[][]): DayUsage[] {
  const byDay = Map.groupBy(shards.flat(), ({ day }) => day)
  const days = Array.from(byDay.values(), (ofDay) => ofDay.reduce(addUsage))
  return days.sort((a, b) => (a.day < b.day ? -1 : 1))
}

function addUsage(a: DayUsage, b: DayUsage): DayUsage {
  return {
    day: a.day,
    batches: a.batches + b.batches,
    datapoints: a.datapoints + b.datapoints,
    bytes: a.bytes + b.bytes,
    duplicates: a.duplicates + b.duplicates,
    rejected: a.rejected + b.rejected,
  }
}

type Instant = 'lastBatchAt' | 'oldestPendingAt'

/** How the data of a tenant flow, from how those of its shards do; zero or null before it has any. */
export function sumStatus(shards: ShardStatus[]): ShardStatus {
  const sum = (field: Exclude<keyof ShardStatus, Instant>) =>
    shards.reduce((total, shard) => total + shard[field], 0)
  return {
    lastBatchAt: extreme(Math.max, shards, 'lastBatchAt'),
    oldestPendingAt: extreme(Math.min, shards, 'oldestPendingAt'),
    batchesPending: sum('batchesPending'),
    openWindows: sum('openWindows'),
    datapointsPerSecond: sum('datapointsPerSecond'),
    batchesPerSecond: sum('batchesPerSecond'),
  }
}

/** The largest or smallest of what shards tell; null where none tells any. */
function extreme(
  pick: (...values: number[]) => number,
  shards: ShardStatus[],
  field: Instant,
): number | null {
  const values = shards.map((shard) => shard[field]).filter((value) => value !== null)
  return values.length === 0 ? null : pick(...values)
}
