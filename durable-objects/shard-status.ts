import type { ShardState } from './shard-state.ts'
import type { ShardStatements } from './tenant-shard-sql.ts'

/** How a shard's data flows right now. */
export interface ShardStatus {
  lastBatchAt: number | null
  batchesPending: number
  oldestPendingAt: number | null
  openWindows: number
  /** Means over the last minute. */
  datapointsPerSecond: number
  batchesPerSecond: number
}

export function shardStatus(db: ShardStatements, state: ShardState, now: number): ShardStatus {
  const { n: batchesPending, oldest: oldestPendingAt } = db.pending()
  let openWindows = 0
  for (const { windows } of state.windows.series.values()) openWindows += windows.size
  const { lastBatchAt } = state.progress
  return { lastBatchAt, batchesPending, oldestPendingAt, openWindows, ...state.meter.rate(now) }
}
