/** How long a tenant's shard count is believed; every answer of a shard renews it. */
const BELIEVED_MS = 10_000
const MAX_TENANTS = 10_000

/**
 * How many shards tenants have, as this isolate last heard. A hint and nothing more: a batch that was sent
 * before goes where its archive object says, and a new one may go to any shard.
 */
export class ShardHint {
  readonly #counts = new Map<string, { shards: number; at: number }>()

  get(tenantId: string, now: number): number | undefined {
    const known = this.#counts.get(tenantId)
    return known !== undefined && now - known.at < BELIEVED_MS ? known.shards : undefined
  }

  set(tenantId: string, shards: number, now: number): void {
    if (this.#counts.size >= MAX_TENANTS) this.#counts.clear()
    this.#counts.set(tenantId, { shards, at: now })
  }
}
