import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { expect } from 'vitest'
import type { TenantShard } from '../../durable-objects/tenant-shard.ts'
import { kill } from '../../durable-objects/testing/effects.ts'
import { consume } from './consume.ts'
import { createTenant, type TestTenant } from './tenant.ts'

const DAY_MS = 86_400_000
/** So far ahead of the real time that no alarm rings by itself. */
const NOON = Math.ceil(Date.now() / DAY_MS) * DAY_MS + DAY_MS / 2
const RETRY_AFTER_MS = 10_000
/** A gateway's tries and a shard's alarms before a test gives up. */
const PATIENCE = 20
/** The platform repeats an alarm that failed. */
const ALARM_TRIES = 6
/** Nothing waits longer than what was sent often without an answer. */
const LONGEST_WAIT_MS = 600_000
/** An alarm may ring late: by this, so that all has become due that only waits for time. */
const ALARM_LATE_MS = 600_000

export interface Batch {
  batch_id: string
  source?: string
  series: { device: string; metric: string; points: [number, number][] }[]
}

export type Plan = { shards?: number; [field: string]: unknown }

interface Sending {
  batch: Batch
  /** What the gateway takes for an answer. */
  settles: (status: number) => boolean
  tries: number
  /** Statuses of the answers that came through. */
  heard: number[]
}

interface Held {
  body: unknown
  attempts: number
}

const QUEUES = ['edgepulse-batches', 'edgepulse-windows'] as const
export type QueueName = (typeof QUEUES)[number]

/**
 * One tenant with all that goes on around it: its gateway, the clock, alarms and queues are the test's, which lets
 * things happen in an order of its own. Nothing is made up: what is not delivered is due again when an alarm says so.
 */
export class TenantLife {
  readonly tenant: TestTenant
  now = NOON
  readonly #shards: number
  readonly #sendings: Sending[] = []
  #held: Held[] = []

  private constructor(tenant: TestTenant, shards: number) {
    this.tenant = tenant
    this.#shards = shards
  }

  static async begin(plan: Plan = {}): Promise<TenantLife> {
    return new TenantLife(await createTenant({ plan }), plan.shards ?? 1)
  }

  /** Names of the tenant's shards. */
  get shards(): string[] {
    return Array.from({ length: this.#shards }, (_, shard) => `${this.tenant.id}/${shard}`)
  }

  get accepted(): Batch[] {
    const accepted = this.#sendings.filter(({ heard }) => heard.some((status) => status < 300))
    return [...new Map(accepted.map(({ batch }) => [batch.batch_id, batch])).values()]
  }

  /** Puts a message of this tenant in its queue. */
  hold(body: unknown): void {
    this.#held.push({ body, attempts: 1 })
  }

  /** How many batches were answered as duplicates, and how many may have been without the gateway hearing it. */
  get duplicates(): { heard: number; possible: number } {
    const sendings = this.#sendings.filter(({ heard }) => heard.some((status) => status < 300))
    const heard = sendings.flatMap((sending) => sending.heard).filter((status) => status === 200).length
    const tries = sendings.reduce((sum, sending) => sum + sending.tries, 0)
    return { heard, possible: tries - this.accepted.length }
  }

  loseMessages(): void {
    this.#held = []
  }

  pass(ms: number): void {
    this.now += ms
  }

  /** All objects of the tenant lose their memory. */
  async killAll(): Promise<void> {
    await Promise.all([...this.shards, this.tenant.id].map(kill))
  }

  /** An operator seals the tenant; should that fail, the alarm does it later. */
  async seal(): Promise<void> {
    await env.TENANT_CONTROL.getByName(this.tenant.id)
      .seal()
      .catch(() => {})
  }

  /** One try of a gateway, which goes on in `settle` until it has its answer. */
  async send(batch: Batch, settles = (status: number) => status < 300): Promise<void> {
    const sending = { batch, settles, tries: 0, heard: [] }
    this.#sendings.push(sending)
    await this.#try(sending)
  }

  async #try(sending: Sending): Promise<void> {
    sending.tries += 1
    const { status } = await this.tenant.ingest(sending.batch)
    if (status !== 503) sending.heard.push(status)
    expect(status === 503 || sending.settles(status), `the gateway heard ${status}`).toBe(true)
  }

  /** The queue gives its consumer all that it holds, for the `attempt`th time at least. */
  async deliver(queue: QueueName, attempt = 1): Promise<void> {
    const due = this.#held.filter(({ body }) => queueOf(body) === queue)
    this.#held = this.#held.filter((held) => !due.includes(held))
    const byAttempts = Map.groupBy(due, ({ attempts }) => Math.max(attempts, attempt))
    for (const [attempts, held] of byAttempts) {
      const { retried } = await consume(
        queue,
        held.map(({ body }) => body),
        { attempts },
      )
      const again = held.filter((_, i) => retried.includes(`m${i}`))
      this.#held.push(...again.map(({ body }) => ({ body, attempts: attempts + 1 })))
    }
  }

  /** The alarm of a shard rings, if it is due by the test's clock. */
  async ring(shard: number): Promise<void> {
    let rung = false
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#inShard(shard, async (instance, { storage }) => {
          rung ||= ((await storage.getAlarm()) ?? Number.POSITIVE_INFINITY) <= this.now
          if (!rung) return
          await storage.deleteAlarm()
          await instance.alarm()
        })
      } catch (error) {
        if (tries === ALARM_TRIES) throw error
      }
    }
  }

  /** All that can go on goes on, until nothing is left to do: gateways hear answers, messages arrive, alarms ring. */
  async settle(): Promise<void> {
    for (const sending of this.#sendings) {
      while (!sending.heard.some(sending.settles)) {
        expect(sending.tries).toBeLessThan(PATIENCE)
        this.pass(RETRY_AFTER_MS)
        for (const shard of this.shards.keys()) await this.ring(shard)
        await this.#try(sending)
      }
    }
    for (let alarms = 0; await this.#goOn(); alarms += 1) expect(alarms).toBeLessThan(PATIENCE)
  }

  /** Delivers what the queues hold, and lets the next alarm ring if that leaves something to do. */
  async #goOn(): Promise<boolean> {
    for (const queue of QUEUES) await this.deliver(queue)
    const looks = await Promise.all(this.shards.map((_, shard) => this.#look(shard)))
    const pending = looks.flatMap((look) => look.pending)
    if (pending.length === 0) return this.#held.length > 0
    const alarms = looks.filter((look) => look.pending.length > 0).map(({ alarmAt }) => alarmAt)
    const next = Math.min(...alarms.map((at) => at ?? Number.POSITIVE_INFINITY))
    expect(next - this.now, `${pending}, and when an alarm rings`).toBeLessThanOrEqual(LONGEST_WAIT_MS)
    this.pass(Math.max(0, next - this.now) + ALARM_LATE_MS)
    for (const shard of this.shards.keys()) await this.ring(shard)
    return true
  }

  /** When a shard's alarm rings, and what it has not brought to an end. */
  async #look(shard: number): Promise<{ alarmAt: number | null; pending: string[] }> {
    return this.#inShard(shard, async (instance, { storage }) => {
      const rows = storage.sql.exec<Record<string, number>>(`select
        (select count(*) from outbox) as outbox, (select count(*) from flushes) as flushes,
        (select count(*) from journal) as journal, (select count(*) from releases where removed = 0) as releases,
        (select count(*) from usage where dirty_since > 0) as usage`)
      const counts = { ...rows.one(), windows: instance.status().openWindows }
      const pending = Object.entries(counts).filter(([, n]) => n > 0)
      return {
        alarmAt: await storage.getAlarm(),
        pending: pending.map(([name, n]) => `${n} ${name} of shard ${shard}`),
      }
    })
  }

  #inShard<T>(
    shard: number,
    work: (instance: TenantShard, state: DurableObjectState) => T | Promise<T>,
  ): Promise<T> {
    return runInDurableObject(this.#stub(shard), work)
  }

  #stub(shard: number) {
    return env.TENANT_SHARD.getByName(`${this.tenant.id}/${shard}`)
  }
}

const queueOf = (body: unknown) =>
  typeof body === 'object' && body !== null && 'flush_id' in body ? 'edgepulse-windows' : 'edgepulse-batches'
