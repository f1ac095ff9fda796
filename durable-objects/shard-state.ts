import { dropOlder } from '../telemetry/columns.ts'
import type { Random } from '../telemetry/random.ts'
import { type AcceptedBatch, type AdmitRequest, BUCKET } from './admission.ts'
import { batchKeyOf } from './batch-key.ts'
import { restoreWindows } from './checkpoint.ts'
import { oldestTimestamp } from './dedupe-horizon.ts'
import { readSweep, type Sweep } from './forget-batches.ts'
import { nextAlarm } from './next-alarm.ts'
import { countFrom } from './presence-report.ts'
import { type Progress, readProgress, writeProgress } from './progress.ts'
import { type Bucket, fullBucket, parseBucket } from './rate-limit.ts'
import { RateMeter } from './rate-meter.ts'
import { readSeries, seriesHashOf } from './series-registry.ts'
import { authorize, type TenantConfig } from './tenant-config.ts'
import type { ShardStatements } from './tenant-shard-sql.ts'
import { addColumns, nextCloseAt, type SeriesState, seriesKey, type WindowState } from './window-state.ts'

/** Usage without any window to flush with it reaches Postgres this long after. */
const USAGE_FLUSH_AFTER_MS = 60_000
/** A checkpoint is made when this much would have to be replayed, even if no window closes. */
export const MAX_REPLAY_BYTES = 8_000_000
/** A series' name in the journal, roughly. */
const NAME_BYTES = 64
/** A batch stands in a manifest about this long after it was accepted, or when so many wait. */
const MANIFEST_AFTER_MS = 300_000
const MANIFEST_BATCHES = 1000

/** What a shard keeps in memory: all of it can be read from the storage again. */
export interface ShardState {
  config: TenantConfig | undefined
  windows: WindowState
  /** Hashes of the series registered through this shard. */
  series: Set<number>
  progress: Progress
  sweep: Sweep
  /** Of the newest journal row, also after it was cut. */
  journalId: number
  /** Journal behind the checkpoint. */
  replayBytes: number
  /** Accepted batches that no manifest lists yet, and when the first of them arrived. */
  unmanifested: number
  unmanifestedSince: number | undefined
  /** After a failure; 0: at once. */
  manifestNotBefore: number
  usageDirtySince: number | undefined
  lastFlushAt: number
  /** Where the tenant has a rate limit and this one shard. */
  bucket: Bucket | undefined
  meter: RateMeter
}

const CONFIG = 'config'

export function restoreState(db: ShardStatements, random: Random): ShardState {
  const config = db.meta(CONFIG)
  const progress = readProgress(db)
  const bucket = db.meta(BUCKET)
  return {
    config: config === undefined ? undefined : JSON.parse(config),
    windows: restoreWindows(db, progress, random),
    series: readSeries(db.series()),
    progress: { ...progress, lastBatchAt: db.newestArrival() ?? progress.lastBatchAt },
    sweep: readSweep(db),
    journalId: Math.max(db.lastJournalId(), progress.checkpointedUntil),
    replayBytes: db.journalBytesAfter(progress.checkpointedUntil),
    unmanifested: db.journalEntryCount(),
    unmanifestedSince: db.oldestArrival(),
    manifestNotBefore: 0,
    usageDirtySince: db.usageDirtySince() ?? undefined,
    lastFlushAt: 0, // an object that sleeps between its alarms must find its flush due when it wakes
    bucket: bucket === undefined ? undefined : parseBucket(bucket),
    meter: new RateMeter(),
  }
}

/** To be called inside one `transactionSync`. */
export function storeConfig(db: ShardStatements, state: ShardState, config: TenantConfig, now: number): void {
  if (state.config !== undefined && state.config.version >= config.version) return
  db.setMeta(CONFIG, JSON.stringify(config))
  if (state.config?.state === 'suspended' && config.state === 'active') {
    const marks = countFrom(state.windows.presence, now)
    writeProgress(db, Object.assign(state.progress, { presence: marks }))
  }
  state.config = config
}

export const latenessMsOf = ({ config }: ShardState) => config?.plan.allowedLatenessMs ?? 60_000

/** Brings memory up to an accepted batch that was committed. Returns the series it touched. */
export function applyAccepted(
  state: ShardState,
  { receivedAt }: AdmitRequest,
  { columns, newSeries, journalId }: AcceptedBatch,
  random: Random,
): SeriesState[] {
  for (const hash of newSeries) state.series.add(hash)
  state.journalId = journalId
  state.progress.lastBatchAt = Math.max(state.progress.lastBatchAt ?? 0, receivedAt)
  state.replayBytes += columns.ts.byteLength + columns.values.byteLength + columns.series.length * NAME_BYTES
  state.unmanifested += 1
  state.unmanifestedSince ??= receivedAt
  state.meter.add(columns.ts.length, receivedAt)
  return addColumns(state.windows, columns, receivedAt, random)
}

/** The bucket that decides on a batch here: a tenant of one shard has it in that shard, others in TenantControl. */
export function bucketOf({ config, bucket }: ShardState, now: number): Bucket | undefined {
  const limit = config?.plan.rateLimit
  if (!limit || config.plan.shards > 1) return undefined
  return bucket ?? fullBucket(limit, now)
}

/** When a flush is due, given the series to look at (all of them, or those just touched); undefined: nothing to flush. */
export function flushDueAt(
  state: ShardState,
  series: Iterable<SeriesState>,
  intervalMs: number,
): number | undefined {
  const { usageDirtySince, lastFlushAt } = state
  const closeAt = nextCloseAt(series, latenessMsOf(state))
  const usageAt = usageDirtySince === undefined ? undefined : usageDirtySince + USAGE_FLUSH_AFTER_MS
  const lookAt = state.windows.presence.dueMs ?? undefined
  return nextAlarm([closeAt, usageAt, lookAt], lastFlushAt + intervalMs)
}

export function manifestDueAt(state: ShardState): number | undefined {
  const { unmanifested, unmanifestedSince, manifestNotBefore } = state
  if (unmanifested >= MANIFEST_BATCHES) return manifestNotBefore
  if (unmanifested === 0 || unmanifestedSince === undefined) return undefined
  return Math.max(unmanifestedSince + MANIFEST_AFTER_MS, manifestNotBefore)
}

/** Hashes of the batch's series that are new here, by key; none for a batch that will not be accepted anyway. */
export function unknownSeries(
  db: ShardStatements,
  state: ShardState,
  request: AdmitRequest,
  now: number,
): Map<string, number> {
  const { columns, keyHash, batchId, receivedAt } = request
  const unknown = new Map<string, number>()
  const { config, windows, series } = state
  if (config === undefined || authorize(config, keyHash, ['ingest'], now) !== 'ok') return unknown
  if (columns.series.every((name) => windows.series.has(seriesKey(name)))) return unknown
  if (db.batch(batchKeyOf(batchId)) !== undefined) return unknown
  const recent = dropOlder(columns, oldestTimestamp(config, receivedAt)).columns
  for (const name of recent.series) {
    const key = seriesKey(name)
    if (windows.series.has(key)) continue
    const hash = seriesHashOf(name)
    if (!series.has(hash)) unknown.set(key, hash)
  }
  return unknown
}
