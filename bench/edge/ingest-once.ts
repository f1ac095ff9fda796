import { createHash } from 'node:crypto'
import { type AdmitRequest, admit, type Grounds } from '../../durable-objects/admission.ts'
import { NO_MARKS } from '../../durable-objects/device-presence.ts'
import { RateMeter } from '../../durable-objects/rate-meter.ts'
import { applyAccepted, type ShardState, unknownSeries } from '../../durable-objects/shard-state.ts'
import type { TenantConfig } from '../../durable-objects/tenant-config.ts'
import { shardStatements } from '../../durable-objects/tenant-shard-sql.ts'
import { emptyState } from '../../durable-objects/window-state.ts'
import { parseJsonBatch } from '../../telemetry/json-batch.ts'
import { seededRandom } from '../../telemetry/random.ts'
import { homeShardOf } from '../../worker/ingest/home-shard.ts'
import { judgeBatch } from '../../worker/ingest/verdict.ts'

const KEY_HASH = '0'.repeat(64)
const SHARDS = 2

const config: TenantConfig = {
  version: 1,
  state: 'active',
  plan: {
    ...{ retentionDays: 35, seriesLimit: 100_000, shards: SHARDS, rateLimit: null },
    allowedLatenessMs: 60_000,
  },
  keys: [{ id: 'bench', hash: KEY_HASH, scopes: ['ingest'], expiresAt: null, revokedAt: null }],
  dedupeSince: null,
}

// SQLite is no pure function: its statements find nothing and keep nothing.
const noRows: SqlStorageCursor<never> = {
  ...{ columnNames: [], rowsRead: 0, rowsWritten: 0 },
  next: () => ({ done: true, value: undefined }),
  toArray: () => [],
  one: () => {
    throw new Error('there is no row')
  },
  raw: () => [].values(),
  [Symbol.iterator]: () => [].values(),
}
const db = shardStatements({ exec: () => noRows })

const sweep = { cursor: '', nextSweepAt: Number.POSITIVE_INFINITY }

/** A shard as it is while a tenant's gateways send: configured, with an empty storage. */
export const newShard = (): ShardState => ({
  ...{ config, windows: emptyState(), series: new Set<number>(), sweep },
  progress: { checkpointedUntil: 0, nextPart: 1, segments: 1, lastBatchAt: null, presence: NO_MARKS },
  ...{
    journalId: 0,
    replayBytes: 0,
    unmanifested: 0,
    unmanifestedSince: undefined,
    manifestNotBefore: 0,
    usageDirtySince: undefined,
    lastFlushAt: 0,
  },
  ...{ bucket: undefined, meter: new RateMeter() },
})

/** Forgets the open windows, not the series, as if all had been flushed. */
export function dropWindows({ windows }: ShardState): void {
  for (const series of windows.series.values()) series.windows.clear()
  windows.bytes = 0
  windows.dirty.clear()
}

const random = seededRandom(1)

/** What one ingest computes, in the product's order. */
export const STAGES = ['hash', 'parse', 'judge', 'admit', 'windows'] as const
export type Stage = (typeof STAGES)[number]

/**
 * All that one ingest computes between the inflated body and the answer, in the Worker and in the shard, with
 * the product's own functions: hash; decode, parse and validate; judge, group and route; look for new series and
 * admit (authorize, judge again, manifest entry, journal); add to the windows. Or all up to `last`.
 */
export function ingestOnce(
  shard: ShardState,
  plain: Uint8Array,
  receivedAt: number,
  last: Stage = 'windows',
) {
  const sha256 = createHash('sha256').update(plain).digest()
  if (last === 'hash') return sha256
  const batch = parseJsonBatch(plain)
  if (last === 'parse') return batch
  const batchId = batch.batchId ?? `sha256-${sha256.toString('hex')}`
  const { columns, rejected } = judgeBatch(batch, receivedAt)
  homeShardOf(batch, SHARDS)
  if (last === 'judge') return columns
  const request: AdmitRequest = {
    ...{ keyHash: KEY_HASH, batchId, sha256: new Uint8Array(sha256).buffer, archived: 'stored', receivedAt },
    ...{ bytes: plain.length, columns, rejected, traceId: new ArrayBuffer(16) },
  }
  const unknown = unknownSeries(db, shard, request, receivedAt)
  const grounds: Grounds = {
    ...{ config, refusedSeries: new Set(), newSeries: [...unknown.values()], now: receivedAt },
    ...{ resendAfterMs: 30_000, nextJournalId: shard.journalId + 1, bucket: undefined },
  }
  const { accepted } = admit(db, grounds, request)
  if (accepted === undefined) throw new Error('the batch was not accepted')
  return last === 'admit' ? accepted : applyAccepted(shard, request, accepted, random)
}
