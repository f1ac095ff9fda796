import { DurableObject } from 'cloudflare:workers'
import { type AcceptedBatch, type AdmitReply, type AdmitRequest, admit, type Grounds } from './admission.ts'
import { batchKeyOf } from './batch-key.ts'
import { type BatchStatus, statusOf, type Verdict, verdictOf } from './batch-record.ts'
import { MAX_STATE_BYTES } from './flush.ts'
import { migrateStorage } from './migrate-storage.ts'
import { nextAlarm } from './next-alarm.ts'
import { ObjectAlarm } from './object-alarm.ts'
import { type Retry, removeFromOutbox } from './outbox.ts'
import { acknowledgeReport, giveUpReport } from './presence-report.ts'
import { Releases } from './releases.ts'
import { ShardMemory } from './shard-memory.ts'
import { applyAccepted, bucketOf, MAX_REPLAY_BYTES, unknownSeries } from './shard-state.ts'
import { type ShardStatus, shardStatus } from './shard-status.ts'
import { ShardWork } from './shard-work.ts'
import { type Authorization, authorize, type TenantConfig } from './tenant-config.ts'
import { SHARD_SCHEMA, type ShardStatements, shardStatements } from './tenant-shard-sql.ts'
import { UnderWay } from './under-way.ts'
import type { DayUsage } from './window-frames.ts'

const NEVER = Number.MAX_SAFE_INTEGER
/** The alarm rings at most this often. */
const MIN_ALARM_MS = 1_000

/**
 * One shard of a tenant: decides on batches, counts usage, aggregates windows, and keeps every effect until
 * the consumer has acknowledged it. Named `{tenantId}/{shard}`.
 */
export class TenantShard extends DurableObject<Env> {
  readonly #db: ShardStatements
  readonly #tenantId: string
  readonly #shard: number
  readonly #memory: ShardMemory
  readonly #releases: Releases
  readonly #work: ShardWork
  readonly #alarm: ObjectAlarm
  readonly #admissions = new UnderWay()
  #gone = false // its storage is empty, and it is about to end

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    const { storage } = ctx
    const [tenantId = '', shard] = (ctx.id.name ?? '').split('/')
    this.#tenantId = tenantId
    this.#shard = Number(shard)
    this.#alarm = new ObjectAlarm(storage)
    migrateStorage(storage, SHARD_SCHEMA)
    const db = shardStatements(storage.sql)
    const archiveKey = (batchId: string) => this.#archiveKey(batchId)
    const memory = new ShardMemory({ db, random: Math.random, abort: (reason) => ctx.abort(reason) })
    const releases = new Releases({ db, bucket: env.ARCHIVE, archiveKey })
    const owner = { tenant_id: tenantId, shard: this.#shard }
    this.#db = db
    this.#memory = memory
    this.#releases = releases
    const announceForgetting = (since: number) => this.#control().forgetBatches(since)
    this.#work = new ShardWork({ owner, storage, db, memory, releases, env, archiveKey, announceForgetting })
    ctx.blockConcurrencyWhile(async () => {
      await this.#alarm.load()
      await this.#alarm.arm(this.#work.nextDueAt(Date.now()))
    })
  }

  /** Accepts, repeats or refuses one batch; see `admission.ts`. The one call of an ingest. */
  async admit(request: AdmitRequest): Promise<AdmitReply> {
    return this.#admissions.during(request.batchId, () => this.#admit(request))
  }

  async #admit(request: AdmitRequest): Promise<AdmitReply> {
    if ((await this.#configured()) === undefined) return this.#withoutTenant(request)
    const registered = await this.#registerSeries(request)
    const waitMs = await this.#waitForTokens(request)
    if (waitMs > 0) return { outcome: 'refused', code: 'rate_limited', waitMs }
    if (!(await this.#archiveHolds(request))) return { outcome: 'busy' }
    const { config } = this.#state // read after the last wait: nothing may come between this and the commit
    if (config === undefined) return { outcome: 'busy' }
    const now = Date.now()
    const { reply, accepted, bucket } = this.ctx.storage.transactionSync(() =>
      admit(this.#db, this.#grounds(config, registered, now), request),
    )
    if (bucket !== undefined) this.#state.bucket = bucket
    if (reply.outcome === 'refused') await this.#refuse(reply.code, request.batchId, now)
    else await this.#remember(request, accepted, now)
    return { ...reply, shards: config.plan.shards }
  }

  /**
   * Of a batch_id under which the archive holds other bytes than were sent now: a conflict if that batch was
   * accepted, or is just being, or may have been and is forgotten. If it never was, the left-over object goes, and
   * the sender's next try finds the id free.
   */
  async contest(
    keyHash: string,
    batchId: string,
  ): Promise<Exclude<Authorization, 'ok'> | 'batch_conflict' | 'busy'> {
    const config = await this.#configured()
    if (config === undefined) return 'invalid_api_key'
    const authorization = authorize(config, keyHash, ['ingest'], Date.now())
    if (authorization !== 'ok') return authorization
    await this.#admissions.ended(batchId)
    return (await this.#release(batchId, Date.now())) ? 'busy' : 'batch_conflict'
  }

  /** Takes a copy of the tenant's configuration unless it holds a newer one. */
  applyConfig(config: TenantConfig): void {
    this.#work.configure(config, Date.now())
  }

  /** What was decided on these batches; those it never accepted are left out. */
  verdicts(batchIds: string[]): Verdict[] {
    return batchIds.flatMap((batchId) => {
      const row = this.#db.batch(batchKeyOf(batchId))
      return row === undefined ? [] : [verdictOf(batchId, row)]
    })
  }

  /** Postgres has these batches: they leave the outbox. */
  acknowledgeBatches(batchIds: string[], persistedAt: number): void {
    this.ctx.storage.transactionSync(() => {
      for (const batchId of batchIds) {
        const id = batchKeyOf(batchId)
        removeFromOutbox(this.#db, id)
        this.#db.setPersisted(id, persistedAt)
      }
    })
  }

  /** The consumer could not store a batch, for a reason that lies in it, and will try again. */
  noteFailure(batchId: string, error: string): void {
    this.#db.noteFailure(batchKeyOf(batchId), error)
  }

  /** The reason noted last; null: none, or the batch is not known. */
  failure(batchId: string): string | null {
    return this.#db.batch(batchKeyOf(batchId))?.error ?? null
  }

  /** The consumer gave up on a batch. It stays known, and leaves the outbox: an operator sends it again. */
  failBatch(batchId: string, error: string): void {
    this.ctx.storage.transactionSync(() => {
      const id = batchKeyOf(batchId)
      removeFromOutbox(this.#db, id)
      this.#db.setFailed(id, error)
    })
  }

  /** An operator asks for a failed batch again: it is in the outbox once more, and its message on the way. */
  async retryBatch(batchId: string): Promise<Retry> {
    return this.#work.retryBatch(batchId, Date.now(), (at) => this.#alarm.arm(at))
  }

  batch(batchId: string): BatchStatus | undefined {
    const row = this.#db.batch(batchKeyOf(batchId))
    return row && statusOf(row)
  }

  /** A flush as `decodeFlush` reads it; undefined once it has been acknowledged. */
  flush(id: number): ArrayBuffer | undefined {
    return this.#db.flush(id)
  }

  acknowledgeFlush(id: number): void {
    this.#db.removeFlush(id)
    acknowledgeReport(this.#state.windows.presence, id)
  }

  /** The consumer gave up on a flush. It stays here and is not sent again until an operator asks for it. */
  failFlush(id: number): void {
    this.#db.postponeFlush(id, NEVER)
    giveUpReport(this.#state.windows.presence, id)
  }

  /** An operator asks for a failed flush again. */
  async retryFlush(id: number): Promise<Retry> {
    return this.#work.retryFlush(id, Date.now(), (at) => this.#alarm.arm(at))
  }

  /** Counters per UTC day of arrival, both days inclusive. */
  usage(from: string, to: string): DayUsage[] {
    return this.#db.usage(from, to)
  }

  status(): ShardStatus {
    return shardStatus(this.#db, this.#state, Date.now())
  }

  /** Memory that open windows hold, roughly. */
  stateBytes(): number {
    return this.#state.windows.bytes
  }

  /** Writes everything accepted so far into the archive's manifests. */
  async seal(): Promise<void> {
    await this.#work.seal(Date.now())
  }

  /** Removes everything the shard holds; the archive and Postgres are the caller's. */
  async destroy(): Promise<void> {
    this.#gone = true
    await this.ctx.storage.deleteAll()
    // What memory still holds must not be served; the answer goes first.
    setTimeout(() => this.ctx.abort('the tenant was deleted'), 50)
  }

  /** Rings when there is work. Never throws: the platform drops such alarms. */
  override async alarm(): Promise<void> {
    this.#alarm.rang()
    const now = Date.now()
    await this.#work.doDue(now)
    const next = this.#work.nextDueAt(Date.now())
    // What is still due after a failure must not make the alarm spin.
    await this.#alarm.arm(next === undefined ? undefined : Math.max(next, now + MIN_ALARM_MS))
  }

  async #configured(): Promise<TenantConfig | undefined> {
    if (this.#gone) return undefined
    if (this.#state.config === undefined) {
      const config = await this.#control().registerShard(this.#shard)
      if (config !== undefined) this.applyConfig(config)
    }
    return this.#state.config
  }

  /** Asks control for series that are new here; what it refuses is beyond the tenant's limit. */
  async #registerSeries(request: AdmitRequest): Promise<Registered> {
    const unknown = unknownSeries(this.#db, this.#state, request, Date.now())
    if (unknown.size === 0) return { newSeries: [], refusedSeries: new Set() }
    const accepted = new Set(await this.#control().registerSeries(Float64Array.from(unknown.values())))
    const refused = [...unknown].filter(([, hash]) => !accepted.has(hash)).map(([key]) => key)
    return { newSeries: [...accepted], refusedSeries: new Set(refused) }
  }

  /** Of a tenant that is gone nothing may stay behind, least of all in the archive: also what an earlier try left. */
  async #withoutTenant({ batchId }: AdmitRequest): Promise<AdmitReply> {
    await this.env.ARCHIVE.delete(this.#archiveKey(batchId))
    return { outcome: 'refused', code: 'invalid_api_key' }
  }

  /** A batch that is unknown here must have its very bytes in the archive before it is accepted; see `Releases`. */
  async #archiveHolds({ archived, batchId, sha256 }: AdmitRequest): Promise<boolean> {
    const found = archived === 'found'
    if (!found && this.#releases.none) return true
    const id = batchKeyOf(batchId)
    if (this.#db.batch(id) !== undefined) return true
    return this.#releases.archiveHolds(id, batchId, sha256, found)
  }

  /** A batch that only has to wait keeps its archive object: its sender comes again with the same. */
  async #refuse(code: string, batchId: string, now: number): Promise<void> {
    if (code !== 'rate_limited') await this.#release(batchId, now)
  }

  /** How long a new batch must wait where the limit is shared by several shards, and so kept by control. */
  async #waitForTokens({ columns, batchId, keyHash }: AdmitRequest): Promise<number> {
    const { config } = this.#state
    if (!config?.plan.rateLimit || config.plan.shards === 1) return 0
    if (authorize(config, keyHash, ['ingest'], Date.now()) !== 'ok') return 0
    if (this.#db.batch(batchKeyOf(batchId)) !== undefined) return 0
    return this.#control().takeTokens(columns.ts.length)
  }

  /** A batch refused whole leaves its batch_id free. */
  async #release(batchId: string, now: number): Promise<boolean> {
    const id = batchKeyOf(batchId)
    if (this.#db.batch(id) !== undefined) return false
    const released = await this.#releases.release(id, batchId, now, this.#state.config?.dedupeSince ?? null)
    await this.#alarm.arm(this.#releases.dueAt())
    return released
  }

  #grounds(config: TenantConfig, registered: Registered, now: number): Grounds {
    const next = { nextJournalId: this.#state.journalId + 1, bucket: bucketOf(this.#state, now) }
    return { ...registered, ...next, config, now, resendAfterMs: this.#work.resendAfterMs }
  }

  /** Brings memory up to what was committed, and the alarm with it; `accepted` only for a new batch. */
  async #remember(request: AdmitRequest, accepted: AcceptedBatch | undefined, now: number): Promise<void> {
    this.#state.usageDirtySince ??= now
    if (accepted === undefined) return this.#alarm.arm(this.#work.flushDueAt([]))
    const touched = this.#memory.change((state) => applyAccepted(state, request, accepted, Math.random))
    const { windows, replayBytes } = this.#state
    if (windows.bytes > MAX_STATE_BYTES || replayBytes > MAX_REPLAY_BYTES) await this.#work.flush(now)
    const due = [this.#work.flushDueAt(touched), now + this.#work.resendAfterMs, this.#work.manifestDueAt()]
    await this.#alarm.arm(nextAlarm(due, now))
  }

  get #state() {
    return this.#memory.state
  }

  #control() {
    return this.env.TENANT_CONTROL.getByName(this.#tenantId)
  }

  #archiveKey(batchId: string): string {
    return `raw/${this.#tenantId}/${batchId}`
  }
}

type Registered = Pick<Grounds, 'newSeries' | 'refusedSeries'>
