import { DurableObject } from 'cloudflare:workers'
import {
  type Admission,
  type AdmitReply,
  type AdmitRequest,
  admit,
  batchKeyOf,
  figuresOf,
} from './admission.ts'
import { backoffMs } from './backoff.ts'
import { flushWindows } from './flush.ts'
import { migrateStorage } from './migrate-storage.ts'
import { nextAlarm } from './next-alarm.ts'
import { restoreWindows } from './restore.ts'
import type { TenantConfig } from './tenant-config.ts'
import { SHARD_SCHEMA, type ShardStatements, shardStatements } from './tenant-shard-sql.ts'
import type { DayUsage } from './window-frames.ts'
import { addColumns, nextCloseAt, type WindowState } from './window-state.ts'

const CONFIG = 'config'
/** Usage without any window to flush with it reaches Postgres this long after. */
const USAGE_FLUSH_AFTER_MS = 60_000
/** The journal is cut when it is this long, even if no window closes. */
const MAX_JOURNAL_BYTES = 8_000_000
const RESEND_CAP_MS = 600_000
/** Messages sent again by one alarm; a longer backlog takes several. */
const RESEND_LIMIT = 100

/** What the consumer needs to store a batch as its 202 said. */
export interface Verdict {
  batchId: string
  receivedAt: number
  datapoints: number
  /** Packed rejections. */
  rejected: Uint32Array
}

export interface BatchStatus {
  status: 'accepted' | 'persisted' | 'failed'
  datapoints: number
  receivedAt: number
  persistedAt: number | null
  error: string | null
}

/**
 * One shard of a tenant: decides on batches, counts usage, aggregates windows, and keeps every effect until
 * the consumer has acknowledged it. Named `{tenantId}/{shard}`. Memory changes only after a commit; should the
 * two part, the object aborts and rebuilds itself from storage.
 */
export class TenantShard extends DurableObject<Env> {
  readonly #db: ShardStatements
  readonly #tenantId: string
  readonly #shard: number
  readonly #flushIntervalMs: number
  readonly #resendAfterMs: number
  #windows: WindowState
  #config: TenantConfig | undefined
  #alarmAt: number | undefined
  #lastFlushAt = 0
  #journalBytes: number
  #usageDirtySince: number | undefined
  /** Batches whose archive object is being removed because they were refused. */
  readonly #releasing = new Set<string>()
  #releases = 0

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    const [tenantId, shard] = (ctx.id.name ?? '').split('/')
    this.#tenantId = tenantId ?? ''
    this.#shard = Number(shard)
    this.#flushIntervalMs = Number(env.FLUSH_INTERVAL_MS)
    this.#resendAfterMs = Number(env.RESEND_AFTER_MS)
    migrateStorage(ctx.storage, SHARD_SCHEMA)
    this.#db = shardStatements(ctx.storage.sql)
    const config = this.#db.meta(CONFIG)
    this.#config = config === undefined ? undefined : JSON.parse(config)
    this.#windows = restoreWindows(this.#db)
    this.#journalBytes = this.#db.journalBytes()
    if (this.#db.dirtyUsage().length > 0) this.#usageDirtySince = 0
    ctx.blockConcurrencyWhile(async () => {
      this.#alarmAt = (await ctx.storage.getAlarm()) ?? undefined
      await this.#arm(this.#nextAlarm(Date.now()))
    })
  }

  /** Accepts, repeats or refuses one batch; see `admission.ts`. The one call of an ingest. */
  async admit(request: AdmitRequest): Promise<AdmitReply> {
    const config = await this.#configured()
    if (config === undefined) return { outcome: 'refused', code: 'invalid_api_key' }
    if (!(await this.#archiveHolds(request))) return { outcome: 'busy' }
    const now = Date.now()
    const admission = this.ctx.storage.transactionSync(() =>
      admit(this.#db, config, request, { now, resendAfterMs: this.#resendAfterMs }),
    )
    if (admission.reply.outcome === 'refused') await this.#release(request)
    else await this.#arm(nextAlarm(this.#apply(admission, request, now), now))
    return admission.reply
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
      return row ? [{ batchId, ...figuresOf(row) }] : []
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

  /** Counters per UTC day of arrival, both days inclusive. */
  usage(from: string, to: string): DayUsage[] {
    return this.#db.usage(from, to)
  }

  /** Flushes what is due and sends again what nobody acknowledged. Never throws: the platform drops such alarms. */
  override async alarm(): Promise<void> {
    this.#alarmAt = undefined
    const now = Date.now()
    try {
      const flushDueAt = this.#flushDueAt()
      if (flushDueAt !== undefined && flushDueAt <= now) await this.#flush(now)
      await this.#resend(now)
    } catch (error) {
      console.error(this.#logLine('alarm_failed', { error: String(error) }))
    } finally {
      await this.#arm(this.#nextAlarm(Date.now()))
    }
  }

  async #configured(): Promise<TenantConfig | undefined> {
    if (this.#config === undefined) {
      const control = this.env.TENANT_CONTROL.getByName(this.#tenantId)
      const config = await control.registerShard(this.#shard)
      if (config !== undefined) this.applyConfig(config)
    }
    return this.#config
  }

  /**
   * A batch found in the archive but unknown here may be one that is being refused and removed by another
   * request; accepting it then would leave it without its raw bytes.
   */
  async #archiveHolds({ archived, batchId }: AdmitRequest): Promise<boolean> {
    if (archived === 'found' && this.#db.batch(batchKeyOf(batchId)) === undefined) {
      const releases = this.#releases
      const object = await this.env.ARCHIVE.head(this.#archiveKey(batchId))
      if (object === null || releases !== this.#releases) return false
    }
    return !this.#releasing.has(batchId)
  }

  /** Brings memory up to what was committed. Returns when the next work is due. */
  #apply({ columns }: Admission, { receivedAt, batchId }: AdmitRequest, now: number): (number | undefined)[] {
    this.#usageDirtySince ??= now
    const due: (number | undefined)[] = [this.#usageDirtySince + USAGE_FLUSH_AFTER_MS]
    if (columns === undefined) return due
    try {
      const touched = addColumns(this.#windows, columns, receivedAt)
      this.#journalBytes += columns.ts.byteLength + columns.values.byteLength
      due.push(this.#afterInterval(nextCloseAt(touched, this.#latenessMs())), now + this.#resendAfterMs)
      if (this.#journalBytes > MAX_JOURNAL_BYTES) due.push(now)
      return due
    } catch (error) {
      this.ctx.abort(`batch ${batchId} is committed but not applied: ${error}`)
      throw error
    }
  }

  /** A refused batch leaves its batch_id free: the object that this request archived for it goes again. */
  async #release({ archived, batchId }: AdmitRequest): Promise<void> {
    if (archived !== 'stored' || this.#db.batch(batchKeyOf(batchId)) !== undefined) return
    this.#releasing.add(batchId)
    this.#releases += 1
    try {
      await this.env.ARCHIVE.delete(this.#archiveKey(batchId))
    } finally {
      this.#releasing.delete(batchId)
    }
  }

  async #flush(now: number): Promise<void> {
    const timing = { now, allowedLatenessMs: this.#latenessMs(), resendAfterMs: this.#resendAfterMs }
    let ids: number[] = []
    try {
      ids = this.ctx.storage.transactionSync(() => flushWindows(this.#db, this.#windows, timing))
    } catch (error) {
      this.ctx.abort(`flush rolled back: ${error}`)
    }
    this.#lastFlushAt = now
    this.#journalBytes = 0
    this.#usageDirtySince = undefined
    await this.#announce(ids)
  }

  async #announce(flushIds: number[]): Promise<void> {
    if (flushIds.length === 0) return
    await this.env.WINDOWS.sendBatch(
      flushIds.map((flush_id) => ({ body: { tenant_id: this.#tenantId, shard: this.#shard, flush_id } })),
    )
  }

  async #resend(now: number): Promise<void> {
    const again = (attempts: number) =>
      now + backoffMs(attempts + 1, this.#resendAfterMs, RESEND_CAP_MS, Math.random)
    const batches = this.#db.dueOutbox(now, RESEND_LIMIT)
    const flushes = this.#db.dueFlushes(now, RESEND_LIMIT)
    for (const { id, attempts } of batches) this.#db.postponeOutbox(id, again(attempts))
    for (const { id, attempts } of flushes) this.#db.postponeFlush(id, again(attempts))
    await this.#announce(flushes.map(({ id }) => id))
    if (batches.length === 0) return
    await this.env.BATCHES.sendBatch(
      batches.map(({ batch_id }) => ({
        body: { tenant_id: this.#tenantId, batch_id, r2_key: this.#archiveKey(batch_id) },
      })),
    )
    console.warn(this.#logLine('batches_sent_again', { count: batches.length, first: batches[0]?.batch_id }))
  }

  #nextAlarm(now: number): number | undefined {
    const dueTimes = [
      this.#flushDueAt(),
      this.#db.outboxDueAt() ?? undefined,
      this.#db.flushDueAt() ?? undefined,
    ]
    return nextAlarm(dueTimes, now)
  }

  /** When a flush is due; undefined while there is nothing to flush. */
  #flushDueAt(): number | undefined {
    const closeAt = this.#afterInterval(nextCloseAt(this.#windows.values(), this.#latenessMs()))
    const usageAt =
      this.#usageDirtySince === undefined ? undefined : this.#usageDirtySince + USAGE_FLUSH_AFTER_MS
    const journalAt = this.#journalBytes > MAX_JOURNAL_BYTES ? 0 : undefined
    const due = Math.min(...[closeAt, usageAt, journalAt].map((at) => at ?? Number.POSITIVE_INFINITY))
    return Number.isFinite(due) ? due : undefined
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

  #archiveKey(batchId: string): string {
    return `raw/${this.#tenantId}/${batchId}`
  }

  #logLine(event: string, fields: Record<string, unknown>): string {
    return JSON.stringify({ event, tenant_id: this.#tenantId, shard: this.#shard, ...fields })
  }
}
