import type { EventName } from '../telemetry/log-line.ts'
import { measure } from '../telemetry/metric-point.ts'
import { flushWindows } from './flush.ts'
import { forgetBatches } from './forget-batches.ts'
import { errorFields, log } from './log.ts'
import { writeManifests } from './manifest.ts'
import { nextAlarm } from './next-alarm.ts'
import { drainOutbox, type Retry, returnBatch, returnFlush } from './outbox.ts'
import type { Releases } from './releases.ts'
import type { ShardMemory } from './shard-memory.ts'
import { type ShardQueues, shardQueues } from './shard-queues.ts'
import { flushDueAt, latenessMsOf, manifestDueAt, storeConfig } from './shard-state.ts'
import type { TenantConfig } from './tenant-config.ts'
import type { ShardStatements } from './tenant-shard-sql.ts'
import type { SeriesState } from './window-state.ts'

/** A manifest that could not be written, or a sweep that could not go on, is tried again after this. */
const RETRY_AFTER_MS = 30_000
/** A shard that is at work measures its outbox this often: that reads the whole of it. */
const MEASURE_EVERY_MS = 60_000

interface WorkDeps {
  owner: { tenant_id: string; shard: number }
  storage: DurableObjectStorage
  db: ShardStatements
  memory: ShardMemory
  releases: Releases
  env: Pick<Env, 'ARCHIVE' | 'BATCHES' | 'WINDOWS' | 'METRICS' | 'FLUSH_INTERVAL_MS' | 'RESEND_AFTER_MS'>
  archiveKey(batchId: string): string
  /** See `ForgetDeps`. */
  announceForgetting(since: number): Promise<void>
}

/**
 * What a shard does beside admission: closed windows become flushes, what nobody acknowledged is sent again, old
 * batches are forgotten, refused ones removed, accepted ones listed in manifests. All of it can be repeated.
 */
export class ShardWork {
  readonly #deps: WorkDeps
  readonly #queues: ShardQueues
  readonly #flushIntervalMs: number
  readonly resendAfterMs: number
  #sealing: Promise<void> = Promise.resolve()
  #measuredAt = 0

  constructor(deps: WorkDeps) {
    this.#deps = deps
    const { env, owner, archiveKey } = deps
    this.#queues = shardQueues(env, owner, archiveKey)
    this.#flushIntervalMs = Number(env.FLUSH_INTERVAL_MS)
    this.resendAfterMs = Number(env.RESEND_AFTER_MS)
  }

  /** Does what is due. Never throws: one step that fails must not keep the others from their turn. */
  async doDue(now: number): Promise<void> {
    const { releases } = this.#deps
    if (isDue(this.flushDueAt(this.#allSeries()), now)) await this.#attempt('flush', () => this.flush(now))
    await this.#attempt('outbox', () => this.#drainOutbox(now))
    if (isDue(this.#sweepDueAt(), now)) await this.#attempt('sweep', () => this.#sweep(now))
    if (isDue(releases.dueAt(), now)) await this.#attempt('release', () => releases.retry(now))
    if (isDue(this.manifestDueAt(), now)) await this.#attempt('manifest', () => this.seal(now))
    if (now - this.#measuredAt >= MEASURE_EVERY_MS) this.#measureOutbox(now)
  }

  /** When there is something to do next; undefined: never, unless something comes in. */
  nextDueAt(now: number): number | undefined {
    const { db, releases } = this.#deps
    const outbox = [db.outboxDueAt(), db.flushesDueAt() ?? undefined]
    const others = [this.manifestDueAt(), this.#sweepDueAt(), releases.dueAt()]
    return nextAlarm([this.flushDueAt(this.#allSeries()), ...others, ...outbox], now)
  }

  /** Given the series to look at: all of them, or those just touched. */
  flushDueAt(series: Iterable<SeriesState>): number | undefined {
    return flushDueAt(this.#state, series, this.#flushIntervalMs)
  }

  manifestDueAt(): number | undefined {
    return manifestDueAt(this.#state)
  }

  configure(config: TenantConfig, now: number): void {
    const { db, storage, memory } = this.#deps
    memory.change((state) => storage.transactionSync(() => storeConfig(db, state, config, now)))
  }

  async flush(now: number): Promise<void> {
    const { db, storage, memory } = this.#deps
    const ids = memory.change((state) => {
      const timing = { now, allowedLatenessMs: latenessMsOf(state), resendAfterMs: this.resendAfterMs }
      return storage.transactionSync(() => flushWindows(db, state.windows, state.progress, timing))
    })
    Object.assign(this.#state, { lastFlushAt: now, replayBytes: 0, usageDirtySince: undefined })
    // Should the queue refuse, the alarm sends them again.
    await this.#queues.sendFlushes(ids).catch((error) => this.#logError('flush_not_announced', error))
  }

  /** Writes everything accepted so far into the archive's manifests; one at a time, whoever asks. */
  async seal(now: number): Promise<void> {
    if (this.#state.replayBytes > 0) await this.flush(now)
    const before = this.#sealing
    this.#sealing = before.catch(() => {}).then(() => this.#writeManifests())
    await this.#sealing
  }

  /** Puts a batch that was given up into the outbox again; `arm` sets the alarm. */
  retryBatch(batchId: string, now: number, arm: (at: number) => Promise<void>): Promise<Retry> {
    const put = (nextSendAt: number) => returnBatch(this.#deps.db, batchId, nextSendAt)
    return this.#sendAgain(put, () => this.#queues.sendBatches([batchId]), now, arm)
  }

  /** The same for a flush. */
  retryFlush(id: number, now: number, arm: (at: number) => Promise<void>): Promise<Retry> {
    const put = (nextSendAt: number) => returnFlush(this.#deps.db, id, nextSendAt)
    return this.#sendAgain(put, () => this.#queues.sendFlushes([id]), now, arm)
  }

  /** Commits and sets the alarm before it sends: should the queue refuse, or the object die, the alarm sends. */
  async #sendAgain(
    put: (nextSendAt: number) => Retry,
    send: () => Promise<void>,
    now: number,
    arm: (at: number) => Promise<void>,
  ): Promise<Retry> {
    const nextSendAt = now + this.resendAfterMs
    const retry = this.#deps.storage.transactionSync(() => put(nextSendAt))
    if (retry !== 'sent') return retry
    await arm(nextSendAt)
    await send().catch((error) => this.#logError('retry_not_announced', error))
    return retry
  }

  async #writeManifests(): Promise<void> {
    const { db, env, owner } = this.#deps
    const { checkpointedUntil } = this.#state.progress
    await writeManifests(
      db,
      env.ARCHIVE,
      { tenantId: owner.tenant_id, shard: owner.shard },
      checkpointedUntil,
    )
    this.#state.unmanifested = db.journalEntryCount()
    this.#state.unmanifestedSince = db.oldestArrival()
  }

  async #drainOutbox(now: number): Promise<void> {
    const { db, storage } = this.#deps
    const transaction = <T>(writes: () => T) => storage.transactionSync(writes)
    const timing = { now, resendAfterMs: this.resendAfterMs, random: Math.random }
    await drainOutbox({ db, transaction, ...this.#queues }, timing)
  }

  async #sweep(now: number): Promise<void> {
    const { db, storage, env, owner, announceForgetting } = this.#deps
    const config = () => {
      if (this.#state.config === undefined) throw new Error('the shard has no configuration')
      return this.#state.config
    }
    const transaction = <T>(writes: () => T) => storage.transactionSync(writes)
    const deps = { db, owner, bucket: env.ARCHIVE, config, announce: announceForgetting, transaction }
    this.#state.sweep = await forgetBatches(deps, this.#state.sweep, now)
  }

  /** Also while Postgres is away: then nobody but the shard knows what is waiting. */
  #measureOutbox(now: number): void {
    this.#measuredAt = now
    const { db, env, owner } = this.#deps
    const { n: batches, oldest } = db.pending()
    measure(env.METRICS, {
      ...{
        kind: 'shard',
        tenantId: owner.tenant_id,
        outcome: 'pending',
        detail: String(owner.shard),
        batches,
      },
      oldestPendingMs: oldest === null ? 0 : now - oldest,
    })
  }

  #sweepDueAt(): number | undefined {
    const { config, sweep } = this.#state
    return config === undefined ? undefined : sweep.nextSweepAt
  }

  async #attempt(step: string, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      this.#logError('shard_work_failed', error, step)
      if (step === 'flush') this.#state.lastFlushAt = Date.now()
      if (step === 'sweep')
        this.#state.sweep = { ...this.#state.sweep, nextSweepAt: Date.now() + RETRY_AFTER_MS }
      if (step === 'manifest') this.#state.manifestNotBefore = Date.now() + RETRY_AFTER_MS
    }
  }

  get #state() {
    return this.#deps.memory.state
  }

  #allSeries(): Iterable<SeriesState> {
    return this.#state.windows.series.values()
  }

  #logError(event: EventName, error: unknown, work?: string): void {
    log('error', event, { ...this.#deps.owner, ...(work && { work }), ...errorFields(error) })
  }
}

const isDue = (at: number | undefined, now: number) => at !== undefined && at <= now
