import { expect, it } from 'vitest'
import type { ShardStatus } from './shard-status.ts'
import { sumStatus, sumUsage } from './sum-shards.ts'
import type { DayUsage } from './window-frames.ts'

const usage = (day: string, n: number): DayUsage => ({
  ...{ day, batches: n, datapoints: 10 * n, bytes: 100 * n, duplicates: 2 * n, rejected: 3 * n },
})

it('adds up every counter of a day over the shards, in the order of the days', () => {
  const shards = [[usage('2026-01-02', 1)], [], [usage('2026-01-01', 5), usage('2026-01-02', 2)]]
  expect(sumUsage(shards)).toEqual([usage('2026-01-01', 5), usage('2026-01-02', 3)])
  expect(sumUsage([])).toEqual([])
})

const quiet: ShardStatus = {
  ...{ lastBatchAt: null, oldestPendingAt: null, batchesPending: 0, openWindows: 0 },
  ...{ datapointsPerSecond: 0, batchesPerSecond: 0 },
}

it('adds up what flows, and takes the latest batch and the longest wait of those shards that have any', () => {
  const one = { ...quiet, lastBatchAt: 5, oldestPendingAt: 4, batchesPending: 1, openWindows: 2 }
  const other = { ...quiet, lastBatchAt: 9, oldestPendingAt: 7, batchesPending: 3, datapointsPerSecond: 8 }
  expect(sumStatus([one, quiet, { ...other, batchesPerSecond: 6 }])).toEqual({
    ...{ lastBatchAt: 9, oldestPendingAt: 4, batchesPending: 4, openWindows: 2 },
    ...{ datapointsPerSecond: 8, batchesPerSecond: 6 },
  })
  expect(sumStatus([])).toEqual(quiet)
})
