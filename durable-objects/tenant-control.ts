import { DurableObject } from 'cloudflare:workers'
import { connect } from './connect-database.ts'
import { type Deletion, deletionStep, newDeletion, parseDeletion } from './delete-tenant.ts'
import { deleteTenantRows } from './delete-tenant-rows.ts'
import { errorFields, log } from './log.ts'
import { migrateStorage } from './migrate-storage.ts'
import { fullBucket, parseBucket, type RateLimit, takeTokens } from './rate-limit.ts'
import { readSeries, registerSeries } from './series-registry.ts'
import type { ShardStatus } from './shard-status.ts'
import { sumStatus, sumUsage } from './sum-shards.ts'
import {
  type Authorization,
  authorize,
  MAX_LIVE_KEYS,
  type Plan,
  type Scope,
  type TenantConfig,
  type TenantState,
} from './tenant-config.ts'
import { type ApiKey, CONTROL_SCHEMA, controlStatements, type KeyPlace } from './tenant-control-sql.ts'
import type { DayUsage } from './window-frames.ts'

const RETRY_AFTER_MS = 3_000

export interface TenantStatus extends ShardStatus {
  rateLimit: RateLimit | null
  seriesUsed: number
  seriesLimit: number
}

/**
 * The authority for one tenant's keys, plan, series and state, named by the tenant's id. What it decides is in
 * force when its answer is given: every change is stored here and in all registered shards before that.
 */
export class TenantControl extends DurableObject<Env> {
  readonly #db: ReturnType<typeof controlStatements>
  readonly #tenantId: string
  readonly #series: Set<number>
  #gone = false // its storage is empty, and it is about to end

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    this.#tenantId = ctx.id.name ?? ''
    migrateStorage(ctx.storage, CONTROL_SCHEMA)
    this.#db = controlStatements(ctx.storage.sql)
    this.#series = readSeries(this.#db.series())
  }

  create(plan: Plan): void {
    this.#db.create(plan)
  }

  /** undefined: there is no such tenant. */
  describe(): { state: TenantState; plan: Plan; deletion: Deletion | null } | undefined {
    const tenant = this.#tenant()
    if (tenant === undefined) return undefined
    const deletion = this.#db.deletion()
    return { state: tenant.state, plan: tenant.plan, deletion: deletion ? parseDeletion(deletion) : null }
  }

  async update(change: { state?: TenantState; plan?: Partial<Plan> }): Promise<void> {
    const tenant = this.#db.tenant()
    if (tenant === undefined || tenant.state === 'deleting') return
    this.#db.update(change.state ?? tenant.state, { ...tenant.plan, ...change.plan })
    await this.#pushConfig()
  }

  /** Adds a key by its hash; it works from the answer on. */
  async addKey(key: ApiKey): Promise<'added' | 'no_tenant' | 'too_many'> {
    if (this.#db.tenant() === undefined) return 'no_tenant'
    if (this.#liveKeys().length >= MAX_LIVE_KEYS) return 'too_many'
    this.#change(() => this.#db.addKey(key))
    await this.#pushConfig()
    return 'added'
  }

  /** In the order of their creation, revoked ones too, those after the place of the key `after`. */
  keyPage(limit: number, after?: KeyPlace): ApiKey[] {
    return this.#db.keyPage(limit, after)
  }

  key(id: string): ApiKey | undefined {
    return this.#db.key(id)
  }

  /** Revokes a key: no request after the answer is served with it. Repeatable. false: there is no such key. */
  async revokeKey(id: string): Promise<boolean> {
    if (this.#db.key(id) === undefined) return false
    this.#change(() => this.#db.revokeKey(id, Date.now()))
    await this.#pushConfig()
    return true
  }

  /** Adds `key` in place of the key `id`, which stays valid until `oldExpiresAt` at most. false: no such key. */
  async rotateKey(id: string, key: ApiKey, oldExpiresAt: number): Promise<boolean> {
    if (this.#db.key(id)?.revokedAt !== null) return false
    this.#change(() => {
      this.#db.addKey(key)
      this.#db.expireKey(id, oldExpiresAt)
    })
    await this.#pushConfig()
    return true
  }

  authorize(keyHash: string, scopes: Scope[]): Authorization {
    const tenant = this.#tenant()
    if (tenant === undefined) return 'invalid_api_key'
    return authorize({ ...tenant, keys: this.#db.keysByHash(keyHash) }, keyHash, scopes, Date.now())
  }

  /**
   * Hands the configuration to a shard and remembers it, in one step: a change made after this reaches the
   * shard by `applyConfig`, and the version keeps the two from overtaking each other. undefined: no such tenant.
   */
  registerShard(shard: number): TenantConfig | undefined {
    const config = this.#config()
    if (config === undefined || config.state === 'deleting') return undefined
    this.#db.putShard(shard, config.version)
    return config
  }

  /**
   * A shard is about to forget batches received before `since`: from the answer on no shard lets in what they may
   * hold. Sent again, they need not come to the shard that had them.
   */
  async forgetBatches(since: number): Promise<void> {
    const tenant = this.#db.tenant()
    if (tenant === undefined) return
    if (since > (tenant.dedupeSince ?? Number.NEGATIVE_INFINITY)) this.#db.forgetBefore(since)
    await this.#pushConfig()
  }

  /** Which of these series (hashes) may have datapoints: known ones, and new ones up to the tenant's limit. */
  registerSeries(wanted: Float64Array): Float64Array {
    const limit = this.#db.tenant()?.plan.seriesLimit ?? 0
    const { accepted, added } = registerSeries(this.#series, wanted, limit)
    if (added.length > 0) this.#db.addSeries(Float64Array.from(added))
    for (const hash of added) this.#series.add(hash)
    return Float64Array.from(accepted)
  }

  /**
   * Takes a batch out of the tenant's bucket, for its several shards; 0, or the milliseconds until it can be
   * taken. One object decides, so the limit holds exactly whatever shards the batches go to.
   */
  takeTokens(datapoints: number): number {
    const limit = this.#db.tenant()?.plan.rateLimit
    if (!limit) return 0
    const now = Date.now()
    const stored = this.#db.bucket()
    const { bucket, waitMs } = takeTokens(
      stored ? parseBucket(stored) : fullBucket(limit, now),
      limit,
      datapoints,
      now,
    )
    if (waitMs === 0) this.#db.setBucket(JSON.stringify(bucket))
    return waitMs
  }

  /** Counters per UTC day of arrival, summed over the shards, both days inclusive. */
  async usage(from: string, to: string): Promise<DayUsage[]> {
    return sumUsage(await Promise.all(this.#shards().map((shard) => shard.usage(from, to))))
  }

  async status(): Promise<TenantStatus> {
    const plan = this.#db.tenant()?.plan
    const shards: ShardStatus[] = await Promise.all(this.#shards().map(async (shard) => await shard.status()))
    return {
      ...sumStatus(shards),
      rateLimit: plan?.rateLimit ?? null,
      seriesUsed: this.#series.size,
      seriesLimit: plan?.seriesLimit ?? 0,
    }
  }

  /** Writes everything accepted so far into the archive's manifests. */
  async seal(): Promise<void> {
    await Promise.all(this.#shards().map((shard) => shard.seal()))
  }

  /** Refuses the tenant's keys from now on and removes all it has, in the background. */
  async startDeletion(): Promise<void> {
    const tenant = this.#db.tenant()
    if (tenant === undefined) return
    if (tenant.state !== 'deleting') {
      this.ctx.storage.transactionSync(() => {
        this.#db.update('deleting', tenant.plan)
        this.#db.setDeletion(JSON.stringify(newDeletion()))
      })
    }
    await this.ctx.storage.setAlarm(Date.now())
    await this.#pushConfig()
  }

  /** For a batch whose archive object is gone, and with it the name of its shard: the one that has it gives up. */
  async failBatch(batchId: string, error: string): Promise<void> {
    await Promise.all(this.#shards().map((shard) => shard.failBatch(batchId, error)))
  }

  /**
   * Repeats what could not be done at once: telling shards of a change, and the deletion, a step a ring. Never
   * throws: the platform drops such alarms.
   */
  override async alarm(): Promise<void> {
    try {
      await this.#pushConfig()
      const stored = this.#db.deletion()
      if (!stored) return
      const next = await deletionStep(this.#deletionDeps(), parseDeletion(stored))
      if (next === undefined) return await this.#vanish()
      this.#db.setDeletion(JSON.stringify(next))
      await this.ctx.storage.setAlarm(Date.now())
    } catch (error) {
      log('error', 'control_work_failed', { tenant_id: this.#tenantId, ...errorFields(error) })
      await this.ctx.storage.setAlarm(Date.now() + RETRY_AFTER_MS)
    }
  }

  /** The end of a deletion. What memory still holds must not be served; the alarm ends first. */
  async #vanish(): Promise<void> {
    this.#gone = true
    await this.ctx.storage.deleteAll()
    setTimeout(() => this.ctx.abort('the tenant was deleted'), 50)
  }

  #deletionDeps() {
    const sql = connect(this.env)
    return {
      tenantId: this.#tenantId,
      bucket: this.env.ARCHIVE,
      shards: () => this.#db.shards(),
      destroyShard: async (shard: number) => {
        await this.#shard(shard).destroy()
        this.#db.removeShard(shard)
      },
      deleteRows: () => deleteTenantRows(sql, this.#tenantId),
    }
  }

  #tenant() {
    return this.#gone ? undefined : this.#db.tenant()
  }

  #config(): TenantConfig | undefined {
    const tenant = this.#tenant()
    return tenant && { ...tenant, keys: this.#liveKeys() }
  }

  /** Keys in force: shards need no others, for a key they do not know is not valid. */
  #liveKeys(): ApiKey[] {
    const now = Date.now()
    return this.#db.keys().filter(({ revokedAt, expiresAt }) => {
      return revokedAt === null && (expiresAt === null || expiresAt > now)
    })
  }

  /** A change of the keys: it and the version that carries it to the shards are one. */
  #change(write: () => void): void {
    this.ctx.storage.transactionSync(() => {
      write()
      this.#db.nextVersion()
    })
  }

  /** Brings every registered shard up to date. Should one not answer, this throws and the alarm goes on trying. */
  async #pushConfig(): Promise<void> {
    const config = this.#config()
    if (config === undefined) return
    const pushes = this.#db.shardsBehind(config.version).map(async (shard) => {
      await this.#shard(shard).applyConfig(config)
      this.#db.putShard(shard, config.version)
    })
    const failed = (await Promise.allSettled(pushes)).find((push) => push.status === 'rejected')
    if (failed === undefined) return
    await this.ctx.storage.setAlarm(Date.now() + RETRY_AFTER_MS)
    throw failed.reason
  }

  #shards() {
    return this.#db.shards().map((shard) => this.#shard(shard))
  }

  #shard(shard: number) {
    return this.env.TENANT_SHARD.getByName(`${this.#tenantId}/${shard}`)
  }
}
