import { DurableObject } from 'cloudflare:workers'
import { migrateStorage } from './migrate-storage.ts'
import {
  type Authorization,
  authorize,
  type Plan,
  type Scope,
  type TenantConfig,
  type TenantState,
} from './tenant-config.ts'
import { type ApiKey, CONTROL_SCHEMA, controlStatements } from './tenant-control-sql.ts'
import type { DayUsage } from './window-frames.ts'

/**
 * The authority for one tenant's keys, plan and state, named by the tenant's id. What it decides is in force
 * when its answer is given: every change is stored here and in all registered shards before that.
 */
export class TenantControl extends DurableObject<Env> {
  readonly #db: ReturnType<typeof controlStatements>
  readonly #tenantId: string

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    this.#tenantId = ctx.id.name ?? ''
    migrateStorage(ctx.storage, CONTROL_SCHEMA)
    this.#db = controlStatements(ctx.storage.sql)
  }

  create(plan: Plan): void {
    this.#db.create(plan)
  }

  /** undefined: there is no such tenant. */
  describe(): { state: TenantState; plan: Plan } | undefined {
    return this.#db.tenant()
  }

  async update(change: { state?: TenantState; plan?: Partial<Plan> }): Promise<void> {
    const tenant = this.#db.tenant()
    if (tenant === undefined) return
    this.#db.update(change.state ?? tenant.state, { ...tenant.plan, ...change.plan })
    await this.#pushConfig()
  }

  /** Adds a key by its hash; it works from the answer on. false: there is no such tenant. */
  async addKey(key: ApiKey): Promise<boolean> {
    if (this.#db.tenant() === undefined) return false
    this.ctx.storage.transactionSync(() => {
      this.#db.addKey(key)
      this.#db.nextVersion()
    })
    await this.#pushConfig()
    return true
  }

  keys(): ApiKey[] {
    return this.#db.keys()
  }

  /** Revokes a key: no request after the answer is served with it. Repeatable. false: there is no such key. */
  async revokeKey(id: string): Promise<boolean> {
    if (!this.#db.keys().some((key) => key.id === id)) return false
    this.ctx.storage.transactionSync(() => {
      this.#db.revokeKey(id, Date.now())
      this.#db.nextVersion()
    })
    await this.#pushConfig()
    return true
  }

  authorize(keyHash: string, scopes: Scope[]): Authorization {
    const config = this.#config()
    return config === undefined ? 'invalid_api_key' : authorize(config, keyHash, scopes, Date.now())
  }

  /**
   * Hands the configuration to a shard and remembers it, in one step: a change made after this reaches the
   * shard by `applyConfig`, and the version keeps the two from overtaking each other. undefined: no such tenant.
   */
  registerShard(shard: number): TenantConfig | undefined {
    const config = this.#config()
    if (config !== undefined) this.#db.addShard(shard)
    return config
  }

  /** Counters per UTC day of arrival, summed over the shards, both days inclusive. */
  async usage(from: string, to: string): Promise<DayUsage[]> {
    const days = new Map<string, DayUsage>()
    const perShard = await Promise.all(this.#shards().map((shard) => shard.usage(from, to)))
    for (const usage of perShard.flat()) {
      const sum = days.get(usage.day)
      days.set(usage.day, sum ? addUsage(sum, usage) : usage)
    }
    return [...days.values()].sort((a, b) => (a.day < b.day ? -1 : 1))
  }

  #config(): TenantConfig | undefined {
    const tenant = this.#db.tenant()
    return tenant && { ...tenant, keys: this.#db.keys() }
  }

  async #pushConfig(): Promise<void> {
    const config = this.#config()
    if (config !== undefined) await Promise.all(this.#shards().map((shard) => shard.applyConfig(config)))
  }

  #shards() {
    return this.#db.shards().map((shard) => this.env.TENANT_SHARD.getByName(`${this.#tenantId}/${shard}`))
  }
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
