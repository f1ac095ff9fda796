import { DurableObject } from 'cloudflare:workers'
import { type Columns, dropOlder } from '../telemetry/columns.ts'
import {
  type AdmitReply,
  type AdmitRequest,
  admit,
  batchKeyOf,
  figuresOf,
  type Grounds,
} from './admission.ts'
import { restoreWindows } from './checkpoint.ts'
import { type DedupeHorizon, oldestTimestamp, readHorizon, sweepBatches } from './dedupe-horizon.ts'
import { flushWindows, MAX_STATE_BYTES } from './flush.ts'
import { archiveManifest, nextManifest } from './manifest.ts'
import { migrateStorage } from './migrate-storage.ts'
import { nextAlarm } from './next-alarm.ts'
import { drainOutbox } from './outbox.ts'
import { type Progress, readProgress } from './progress.ts'
import { Releases } from './release.ts'
import { readSeries, seriesHashOf } from './series-registry.ts'
import { authorize, type TenantConfig } from './tenant-config.ts'
import { SHARD_SCHEMA, type ShardStatements, shardStatements } from './tenant-shard-sql.ts'
import type { DayUsage } from './window-frames.ts'
import { addColumns, nextCloseAt, type SeriesState, seriesKey, type WindowState } from './window-state.ts'

const CONFIG = 'config'
/** Usage without any window to flush with it reaches Postgres this long after. */
const USAGE_FLUSH_AFTER_MS = 60_000
/** A checkpoint is due when this much would have to be replayed, even if no window closes. */
const MAX_REPLAY_BYTES = 8_000_000
/** A batch stands in a manifest at most about this long after it was accepted. */
const MANIFEST_AFTER_MS = 300_000

const MANIFEST_BATCHES = 1000
const NEVER = Number.MAX_SAFE_INTEGER
/** A queue takes this many messages in one call. */
const MAX_MESSAGES = 100

/** What the consumer needs to store a batch as its 202 said. */
export interface Verdict {
  batchId: string
  receivedAt: number
  datapoints: number
  /** Packed rejections. */
  rejected: Uint32Array
  /** Of the decompressed body, hex. */
  sha256: string
  /** Set once Postgres has the batch: another message about it is old news. */
  persistedAt: number | null
}

export interface BatchStatus {
  status: 'accepted' | 'persisted' | 'failed'
  datapoints: number
  receivedAt: number
  persistedAt: number | null
  error: string | null
}

export interface ShardStatus {
  lastBatchAt: number | null
  batchesPending: number
  oldestPendingAt: number | null
  openWindows: number
}

/**
 * One shard of a tenant: decides on batches, counts usage, aggregates windows, and keeps every effect until
 * the consumer has acknowledged it. Named `{tenantId}/{shard}`. Memory changes only with a commit; should the
 * two part, the object aborts and rebuilds itself from storage.
 */
export class TenantShard extends DurableObject<Env> {
  readonly #db: ShardStatements
  readonly #tenantId: string
  readonly #shard: number
  readonly #flushIntervalMs: number
  readonly #resendAfterMs: number
  readonly #windows: WindowState
  readonly #series: Set<number>
  readonly #progress: Progress
  readonly #releases: Releases
  #config: TenantConfig | undefined
  #horizon: DedupeHorizon
  #unmanifested: number
  #replayBytes: number
  #alarmAt: number | undefined
  #lastFlushAt = 0
  #usageDirtySince: number | undefined
  #sealing: Promise<void> = Promise.resolve()

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    const [tenantId, shard] = (ctx.id.name ?? '').split('/')
    this.#tenantId = tenantId ?? ''
    this.#shard = Number(shard)
    this.#flushIntervalMs = Number(env.FLUSH_INTERVAL_MS)
    this.#resendAfterMs = Number(env.RESEND_AFTER_MS)
    this.#releases = new Releases(env.ARCHIVE)
    migrateStorage(ctx.storage, SHARD_SCHEMA)
    this.#db = shardStatements(ctx.storage.sql)
    const config = this.#db.meta(CONFIG)
    this.#config = config === undefined ? undefined : JSON.parse(config)
    this.#progress = readProgress(this.#db)
    this.#horizon = readHorizon(this.#db)
    this.#series = readSeries(this.#db.series())
    this.#windows = restoreWindows(this.#db, this.#progress, Math.random)
    this.#replayBytes = this.#db.journalBytesAfter(this.#progress.checkpointedUntil)
    this.#unmanifested = this.#db.journalEntryCount()
    if (this.#db.dirtyUsage().length > 0) this.#usageDirtySince = Date.now()
    ctx.blockConcurrencyWhile(async () => {
      this.#alarmAt = (await ctx.storage.getAlarm()) ?? undefined
      await this.#arm(this.#nextAlarm(Date.now()))
    })
  }

  /** Accepts, repeats or refuses one batch; see `admission.ts`. The one call of an ingest. */
  async admit(request: AdmitRequest): Promise<AdmitReply> {
    if ((await this.#configured()) === undefined) return { outcome: 'refused', code: 'invalid_api_key' }
    const registered = await this.#registerSeries(request)
    if (!(await this.#archiveHolds(request))) return { outcome: 'busy' }
    const config = this.#config // read after the last wait: nothing may come between this and the commit
    if (config === undefined) return { outcome: 'busy' }
    const now = Date.now()
    const nextJournalId = Math.max(this.#db.lastJournalId(), this.#progress.checkpointedUntil) + 1
    const { reply, columns } = this.ctx.storage.transactionSync(() =>
      admit(
        this.#db,
        {
          ...registered,
          config,
          horizon: this.#horizon,
          now,
          resendAfterMs: this.#resendAfterMs,
          nextJournalId,
        },
        request,
      ),
    )
    if (reply.outcome === 'refused') await this.#release(request)
    else await this.#apply({ request, columns, newSeries: registered.newSeries, now })
    return { ...reply, shards: config.plan.shards }
  }

  /** Takes a copy of the tenant's configuration unless it holds a newer one. */
  applyConfig(config: TenantConfig): void {
    if (this.#config !== undefined && this.#config.version >= config.version) return
    this.#db.setMeta(CONFIG, JSON.stringify(config))
    this.#config = config
  }

  /** What was decided on these batches; those it never accepted are left out. */
  verdicts(batchIds: string[]): Verdict[] {
    return batchIds.flatMap((batchId) => {
      const row = this.#db.batch(batchKeyOf(batchId))
      if (row === undefined) return []
      const sha256 = Buffer.from(row.sha256).toString('hex')
      return [{ batchId, ...figuresOf(row), sha256, persistedAt: row.persisted_at }]
    })
  }

  /** Postgres has these batches: they leave the outbox. */
  acknowledgeBatches(batchIds: string[], persistedAt: number): void {
    this.ctx.storage.transactionSync(() => {
      for (const batchId of batchIds) {
        const id = batchKeyOf(batchId)
        this.#db.removeOutbox(id)
        this.#db.setPersisted(id, persistedAt)
      }
    })
  }

  /** The consumer gave up on a batch. It stays known, and leaves the outbox: an operator sends it again. */
  failBatch(batchId: string, error: string): void {
    this.ctx.storage.transactionSync(() => {
      const id = batchKeyOf(batchId)
      this.#db.removeOutbox(id)
      this.#db.setFailed(id, error)
    })
  }

  batch(batchId: string): BatchStatus | undefined {
    const row = this.#db.batch(batchKeyOf(batchId))
    if (row === undefined) return undefined
    const { datapoints, received_at: receivedAt, persisted_at: persistedAt, error } = row
    const status = persistedAt !== null ? 'persisted' : error !== null ? 'failed' : 'accepted'
    return { status, datapoints, receivedAt, persistedAt, error }
  }

  /** A flush as `decodeFlush` reads it; undefined once it has been acknowledged. */
  flush(id: number): ArrayBuffer | undefined {
    return this.#db.flush(id)
  }

  acknowledgeFlush(id: number): void {
    this.#db.removeFlush(id)
  }

  /** The consumer gave up on a flush. It stays here and is not sent again until an operator asks for it. */
  failFlush(id: number): void {
    this.#db.postponeFlush(id, NEVER)
  }

  /** Counters per UTC day of arrival, both days inclusive. */
  usage(from: string, to: string): DayUsage[] {
    return this.#db.usage(from, to)
  }

  status(): ShardStatus {
    const { n, oldest } = this.#db.pending()
    let openWindows = 0
    for (const { windows } of this.#windows.series.values()) openWindows += windows.size
    return {
      lastBatchAt: this.#progress.lastBatchAt,
      batchesPending: n,
      oldestPendingAt: oldest,
      openWindows,
    }
  }

  /** Writes everything accepted so far into the archive's manifests; one at a time, whoever asks. */
  async seal(): Promise<void> {
    if (this.#replayBytes > 0) await this.#flush(Date.now())
    const before = this.#sealing
    this.#sealing = before.catch(() => {}).then(() => this.#writeManifests())
    await this.#sealing
  }

  /** Removes everything the shard holds; the archive and Postgres are the caller's. */
  async destroy(): Promise<void> {
    await this.ctx.storage.deleteAll()
    // What memory still holds must not be served; the answer goes first.
    setTimeout(() => this.ctx.abort('the tenant was deleted'), 50)
  }

  /** Flushes what is due and sends again what nobody acknowledged. Never throws: the platform drops such alarms. */
  override async alarm(): Promise<void> {
    this.#alarmAt = undefined
    const now = Date.now()
    try {
      if (isDue(this.#flushDueAt(), now)) await this.#flush(now)
      await drainOutbox(this.#outboxDeps(), now)
      if (isDue(this.#sweepDueAt(), now)) this.#sweep(now)
      if (isDue(this.#manifestDueAt(), now)) await this.seal()
    } catch (error) {
      console.error(JSON.stringify({ event: 'alarm_failed', ...this.#owner(), error: String(error) }))
    } finally {
      await this.#arm(this.#nextAlarm(Date.now()))
    }
  }

  async #configured(): Promise<TenantConfig | undefined> {
    if (this.#config === undefined) {
      const config = await this.#control().registerShard(this.#shard)
      if (config !== undefined) this.applyConfig(config)
    }
    return this.#config
  }

  /** Asks control for series that are new here; what it refuses is beyond the tenant's limit. */
  async #registerSeries(request: AdmitRequest): Promise<Pick<Grounds, 'newSeries' | 'refusedSeries'>> {
    const refusedSeries = new Set<string>()
    const unknown = this.#unknownSeries(request)
    if (unknown.size === 0) return { newSeries: [], refusedSeries }
    const accepted = new Set(await this.#control().registerSeries(Float64Array.from(unknown.values())))
    for (const [key, hash] of unknown) if (!accepted.has(hash)) refusedSeries.add(key)
    return { newSeries: [...accepted], refusedSeries }
  }

  /** Hashes of the batch's new series, by key; none for a batch that will not be accepted anyway. */
  #unknownSeries({ columns, keyHash, batchId, receivedAt }: AdmitRequest): Map<string, number> {
    const unknown = new Map<string, number>()
    const config = this.#config
    if (config === undefined || authorize(config, keyHash, ['ingest'], Date.now()) !== 'ok') return unknown
    if (columns.series.every((name) => this.#windows.series.has(seriesKey(name)))) return unknown
    if (this.#db.batch(batchKeyOf(batchId)) !== undefined) return unknown
    const recent = dropOlder(
      columns,
      oldestTimestamp(this.#horizon, config.plan.retentionDays, receivedAt),
    ).columns
    for (const name of recent.series) {
      const key = seriesKey(name)
      if (this.#windows.series.has(key)) continue
      const hash = seriesHashOf(name)
      if (!this.#series.has(hash)) unknown.set(key, hash)
    }
    return unknown
  }

  /**
   * A batch found in the archive but unknown here may be one that is being refused and removed by another
   * request; accepting it then would leave it without its raw bytes.
   */
  async #archiveHolds({ archived, batchId }: AdmitRequest): Promise<boolean> {
    const key = this.#archiveKey(batchId)
    if (archived === 'stored' || this.#db.batch(batchKeyOf(batchId)) !== undefined)
      return !this.#releases.has(key)
    return this.#releases.archiveHolds(key)
  }

  /** A refused batch leaves its batch_id free: the object that this request archived for it goes again. */
  async #release({ archived, batchId }: AdmitRequest): Promise<void> {
    if (archived !== 'stored' || this.#db.batch(batchKeyOf(batchId)) !== undefined) return
    await this.#releases.remove(this.#archiveKey(batchId))
  }

  /** Brings memory up to what was committed, and the alarm with it. */
  async #apply(accepted: {
    request: AdmitRequest
    columns: Columns | undefined
    newSeries: number[]
    now: number
  }) {
    const { request, columns, newSeries, now } = accepted
    this.#usageDirtySince ??= now
    const due: (number | undefined)[] = [this.#usageDirtySince + USAGE_FLUSH_AFTER_MS]
    if (columns !== undefined) {
      const touched = this.#addToMemory(request, columns, newSeries)
      due.push(this.#afterInterval(nextCloseAt(touched, this.#latenessMs())), now + this.#resendAfterMs)
      due.push(this.#manifestDueAt(), this.#replayBytes > MAX_REPLAY_BYTES ? now : undefined)
      if (this.#windows.bytes > MAX_STATE_BYTES) await this.#flush(now)
    }
    await this.#arm(nextAlarm(due, now))
  }

  #addToMemory({ receivedAt, batchId }: AdmitRequest, columns: Columns, newSeries: number[]): SeriesState[] {
    try {
      for (const hash of newSeries) this.#series.add(hash)
      this.#progress.lastBatchAt = Math.max(this.#progress.lastBatchAt ?? 0, receivedAt)
      this.#replayBytes += columns.ts.byteLength + columns.values.byteLength
      this.#unmanifested += 1
      return addColumns(this.#windows, columns, receivedAt, Math.random)
    } catch (error) {
      this.ctx.abort(`batch ${batchId} is committed but not applied: ${error}`)
      throw error
    }
  }

  async #flush(now: number): Promise<void> {
    const timing = { now, allowedLatenessMs: this.#latenessMs(), resendAfterMs: this.#resendAfterMs }
    try {
      const ids = this.ctx.storage.transactionSync(() =>
        flushWindows(this.#db, this.#windows, this.#progress, timing),
      )
      this.#lastFlushAt = now
      this.#replayBytes = 0
      this.#usageDirtySince = undefined
      await this.#announceFlushes(ids).catch(() => {}) // the alarm sends them again
    } catch (error) {
      this.ctx.abort(`flush rolled back: ${error}`)
      throw error
    }
  }

  #outboxDeps() {
    return {
      db: this.#db,
      resendAfterMs: this.#resendAfterMs,
      random: Math.random,
      sendFlushes: (flushIds: number[]) => this.#announceFlushes(flushIds),
      sendBatches: async (batchIds: string[]) => {
        const bodies = batchIds.map((batch_id) => ({
          body: { tenant_id: this.#tenantId, batch_id, r2_key: this.#archiveKey(batch_id) },
        }))
        await this.env.BATCHES.sendBatch(bodies)
        console.warn(
          JSON.stringify({ event: 'batches_sent_again', ...this.#owner(), count: batchIds.length }),
        )
      },
    }
  }

  async #announceFlushes(flushIds: number[]): Promise<void> {
    for (let i = 0; i < flushIds.length; i += MAX_MESSAGES) {
      const ids = flushIds.slice(i, i + MAX_MESSAGES)
      await this.env.WINDOWS.sendBatch(ids.map((flush_id) => ({ body: { ...this.#owner(), flush_id } })))
    }
  }

  #sweep(now: number): void {
    const retentionDays = this.#config?.plan.retentionDays ?? Number.POSITIVE_INFINITY
    this.#horizon = this.ctx.storage.transactionSync(() =>
      sweepBatches(this.#db, this.#horizon, retentionDays, now),
    )
  }

  /** Writes manifests of all that is checkpointed, one after the other, and cuts the journal behind each. */
  async #writeManifests(): Promise<void> {
    const owner = { tenantId: this.#tenantId, shard: this.#shard }
    for (;;) {
      const next = nextManifest(this.#db, owner, this.#progress.checkpointedUntil)
      if (next === undefined) break
      this.#db.cutJournal(await archiveManifest(this.env.ARCHIVE, next.key, next.manifest))
    }
    this.#unmanifested = this.#db.journalEntryCount()
  }

  #nextAlarm(now: number): number | undefined {
    const outbox = [this.#db.outboxDueAt() ?? undefined, this.#db.flushDueAt() ?? undefined]
    return nextAlarm([this.#flushDueAt(), this.#manifestDueAt(), this.#sweepDueAt(), ...outbox], now)
  }

  /** When a flush is due; undefined while there is nothing to flush. */
  #flushDueAt(): number | undefined {
    const closeAt = this.#afterInterval(nextCloseAt(this.#windows.series.values(), this.#latenessMs()))
    const usageAt =
      this.#usageDirtySince === undefined ? undefined : this.#usageDirtySince + USAGE_FLUSH_AFTER_MS
    const replayAt = this.#replayBytes > MAX_REPLAY_BYTES ? 0 : undefined
    return nextAlarm([closeAt, usageAt, replayAt], 0)
  }

  #manifestDueAt(): number | undefined {
    if (this.#unmanifested >= MANIFEST_BATCHES) return 0
    const oldest = this.#unmanifested === 0 ? undefined : this.#db.oldestArrival()
    return oldest === undefined ? undefined : oldest + MANIFEST_AFTER_MS
  }

  #sweepDueAt(): number | undefined {
    return this.#config === undefined ? undefined : this.#horizon.nextSweepAt
  }

  #afterInterval(at: number | undefined): number | undefined {
    return at === undefined ? undefined : Math.max(at, this.#lastFlushAt + this.#flushIntervalMs)
  }

  async #arm(at: number | undefined): Promise<void> {
    if (at === undefined || (this.#alarmAt !== undefined && this.#alarmAt <= at)) return
    this.#alarmAt = at
    await this.ctx.storage.setAlarm(at)
  }

  #latenessMs(): number {
    return this.#config?.plan.allowedLatenessMs ?? 60_000
  }

  #control() {
    return this.env.TENANT_CONTROL.getByName(this.#tenantId)
  }

  #archiveKey(batchId: string): string {
    return `raw/${this.#tenantId}/${batchId}`
  }

  #owner() {
    return { tenant_id: this.#tenantId, shard: this.#shard }
  }
}

const isDue = (at: number | undefined, now: number) => at !== undefined && at <= now
