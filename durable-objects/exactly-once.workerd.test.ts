import {
  createExecutionContext,
  createMessageBatch,
  evictDurableObject,
  getQueueResult,
  runDurableObjectAlarm,
  runInDurableObject,
} from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import fc from 'fast-check'
import * as v from 'valibot'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { versionOf } from '../telemetry/batch-rows.ts'
import { WINDOW_MS, windowStartOf } from '../telemetry/window.ts'
import { featuresOfParts, featuresOfValues, type WindowPart } from '../telemetry/window-features.ts'
import worker from '../worker/index.ts'
import { sql } from '../worker/testing/owner-sql.ts'
import { createTenant, type TestTenant } from '../worker/testing/tenant.ts'

/*
 * Whatever is evicted, lost, sent twice or resharded in between: once everything has been flushed, counters,
 * merged windows and stored datapoints are those of the set of accepted batches, computed naively.
 */

const RUNS = Number(Reflect.get(env, 'PROPERTY_RUNS'))
const DEVICES = ['a', 'b', 'c']

interface Sent {
  body: {
    batch_id: string
    source: string
    series: { device: string; metric: string; points: [number, number][] }[]
  }
  receivedAt: number
}

const points = fc.uniqueArray(fc.tuple(fc.nat(4 * WINDOW_MS), fc.integer({ min: -99, max: 99 })), {
  ...{ minLength: 1, maxLength: 8, selector: ([ts]: [number, number]) => ts },
})
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('send' as const),
      series: fc.dictionary(fc.constantFrom(...DEVICES), points, { minKeys: 1 }),
      source: fc.constantFrom('g1', 'g2', 'g3'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('repeat' as const), which: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('evict' as const), shard: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('alarm' as const), shard: fc.nat(2) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('deliver' as const), times: fc.integer({ min: 1, max: 2 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('lose' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('refuse' as const), sends: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('reshard' as const), shards: fc.integer({ min: 2, max: 3 }) }),
  },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** What the Worker and the objects put on the queues, held back until a test delivers it. */
const queue = { batches: [] as unknown[], windows: [] as unknown[], refuses: false }

beforeEach(() => {
  const prototype = Object.getPrototypeOf(env.BATCHES)
  const hold = (bodies: unknown[]) => {
    if (queue.refuses) throw new Error('the queue is away')
    for (const body of bodies) {
      const list =
        typeof body === 'object' && body !== null && 'flush_id' in body ? queue.windows : queue.batches
      list.push(body)
    }
  }
  vi.spyOn(prototype, 'send').mockImplementation(async (body: unknown) => hold([body]))
  vi.spyOn(prototype, 'sendBatch').mockImplementation(async (messages: unknown) => {
    hold([...(messages as Iterable<{ body: unknown }>)].map(({ body }) => body))
  })
})

afterEach(() => {
  vi.restoreAllMocks()
})

async function deliver(name: string, bodies: unknown[]): Promise<void> {
  if (bodies.length === 0) return
  const messages = bodies.map((body, i) => ({ id: `m${i}`, timestamp: new Date(), attempts: 1, body }))
  const batch = createMessageBatch(name, messages)
  const context = createExecutionContext()
  await worker.queue(batch, env)
  await getQueueResult(batch, context)
}

class Run {
  readonly accepted: Sent[] = []
  duplicates = 0
  shards = 1
  readonly tenant: TestTenant
  readonly start = windowStartOf(Date.now()) - 40 * WINDOW_MS

  constructor(tenant: TestTenant) {
    this.tenant = tenant
  }

  async take(step: Step): Promise<void> {
    if (step.do === 'send') await this.send(step)
    if (step.do === 'repeat') await this.repeat(step.which)
    if (step.do === 'evict') await this.evict(step.shard % this.shards)
    if (step.do === 'alarm') await runDurableObjectAlarm(this.shard(step.shard % this.shards))
    if (step.do === 'deliver')
      for (let i = 0; i < step.times; i += 1) await this.deliverAll(i + 1 < step.times)
    if (step.do === 'lose') Object.assign(queue, { batches: [], windows: [] })
    if (step.do === 'refuse') queue.refuses = step.sends
    if (step.do === 'reshard' && step.shards > this.shards) {
      this.shards = step.shards
      await env.TENANT_CONTROL.getByName(this.tenant.id).update({ plan: { shards: step.shards } })
    }
  }

  async send(step: Extract<Step, { do: 'send' }>): Promise<void> {
    const series = Object.entries(step.series).map(([device, list]) => ({
      ...{
        device,
        metric: 'm',
        points: list.map(([ts, value]): [number, number] => [this.start + ts, value]),
      },
    }))
    const body = { batch_id: `b-${this.accepted.length}`, source: step.source, series }
    const answer = await this.tenant.ingest(body)
    expect(answer.status).toBe(202)
    const { received_at } = await answer.json<{ received_at: string }>()
    this.accepted.push({ body, receivedAt: Date.parse(received_at) })
  }

  async repeat(which: number): Promise<void> {
    if (this.accepted.length === 0) return
    const { body } = this.accepted[which % this.accepted.length]!
    expect((await this.tenant.ingest(body)).status).toBe(200)
    this.duplicates += 1
  }

  async evict(shard: number): Promise<void> {
    await this.shard(shard).verdicts([]) // one that does not run cannot be evicted
    await evictDurableObject(this.shard(shard))
  }

  async deliverAll(keep: boolean): Promise<void> {
    const { batches, windows } = queue
    if (!keep) Object.assign(queue, { batches: [], windows: [] })
    await deliver('edgepulse-batches', batches)
    await deliver('edgepulse-windows', windows)
  }

  /** Closes every window, and delivers what is unacknowledged until nothing is: what alarms do, given time. */
  async settle(): Promise<void> {
    queue.refuses = false
    await env.TENANT_CONTROL.getByName(this.tenant.id).update({ plan: { allowedLatenessMs: -1e12 } })
    for (let shard = 0; shard < this.shards; shard += 1) {
      await runInDurableObject(this.shard(shard), (instance) => instance.seal())
    }
    await vi.waitFor(
      async () => {
        let waiting = 0
        for (let shard = 0; shard < this.shards; shard += 1)
          waiting += await this.deliverUnacknowledged(shard)
        expect(waiting).toBe(0)
      },
      { timeout: 10_000, interval: 20 },
    )
  }

  async deliverUnacknowledged(shard: number): Promise<number> {
    await runDurableObjectAlarm(this.shard(shard))
    const held = await runInDurableObject(this.shard(shard), (instance, { storage }) => ({
      outbox: storage.sql.exec<{ batch_id: string }>('select batch_id from outbox').toArray(),
      flushes: storage.sql.exec<{ id: number }>('select id from flushes').toArray(),
      open: instance.status().openWindows,
    }))
    const tenant_id = this.tenant.id
    await deliver(
      'edgepulse-batches',
      held.outbox.map(({ batch_id }) => ({ tenant_id, batch_id, r2_key: `raw/${tenant_id}/${batch_id}` })),
    )
    await deliver(
      'edgepulse-windows',
      held.flushes.map(({ id }) => ({ tenant_id, shard, flush_id: id })),
    )
    return held.outbox.length + held.flushes.length + held.open
  }

  shard(shard: number) {
    return env.TENANT_SHARD.getByName(`${this.tenant.id}/${shard}`)
  }

  /** Every accepted datapoint, as [device, ts, value, version]. */
  datapoints(): [string, number, number, number][] {
    return this.accepted.flatMap(({ body, receivedAt }) =>
      body.series.flatMap(({ device, points }) =>
        points.map(([ts, value]): [string, number, number, number] => [
          device,
          ts,
          value,
          versionOf(receivedAt, body.batch_id),
        ]),
      ),
    )
  }
}

async function expectExactlyOnce(run: Run): Promise<void> {
  const all = run.datapoints()
  const { total } = await (await run.tenant.get('/v1/usage')).json<{ total: object }>()
  expect(total).toMatchObject({
    batches: run.accepted.length,
    datapoints: all.length,
    duplicates: run.duplicates,
    rejected: 0,
  })

  const stored = await sql`select external_id as device, (extract(epoch from ts) * 1000)::float8 as ts, value
    from datapoints d join metrics m on m.tenant_id = d.tenant_id and m.id = d.metric_id
    join devices v on v.tenant_id = m.tenant_id and v.id = m.device_id where d.tenant_id = ${run.tenant.id}`
  const last = new Map<string, [string, number, number, number]>()
  for (const row of all) {
    const known = last.get(`${row[0]} ${row[1]}`)
    if (!known || row[3] > known[3] || (row[3] === known[3] && row[2] > known[2]))
      last.set(`${row[0]} ${row[1]}`, row)
  }
  expect(Object.fromEntries(stored.map(({ device, ts, value }) => [`${device} ${ts}`, value]))).toEqual(
    Object.fromEntries(Array.from(last, ([key, row]) => [key, row[2]])),
  )

  const expected = Map.groupBy(all, ([device, ts]) => `${device} ${windowStartOf(ts)}`)
  const parts = await partsOf(run.tenant.id)
  expect(new Set(parts.keys())).toEqual(new Set(expected.keys()))
  for (const [key, rows] of expected) {
    const whole = featuresOfValues(
      windowStartOf(rows[0]![1]),
      rows.map(([, , value]) => value),
    )
    const { mean, std, ...merged } = featuresOfParts(parts.get(key)!)
    const { mean: wholeMean, std: wholeStd, ...exact } = whole
    expect(merged).toEqual(exact)
    expect(mean).toBeCloseTo(wholeMean, 9)
    expect(std).toBeCloseTo(wholeStd, 9)
  }
}

const Part = v.object({
  ...{ device: v.string(), windowStart: v.number(), count: v.number(), mean: v.number(), m2: v.number() },
  ...{
    min: v.number(),
    max: v.number(),
    median: v.number(),
    mad: v.number(),
    firstTs: v.number(),
    lastTs: v.number(),
  },
  sketch: v.pipe(
    v.string(),
    v.transform((base64) => Uint8Array.from(Buffer.from(base64, 'base64'))),
  ),
})

async function partsOf(tenantId: string): Promise<Map<string, WindowPart[]>> {
  const rows =
    await sql`select external_id as device, (extract(epoch from window_start) * 1000)::float8 as "windowStart",
      w.count, w.mean, w.m2, w.min, w.max, w.median, w.mad, encode(w.sketch, 'base64') as sketch,
      (extract(epoch from first_ts) * 1000)::float8 as "firstTs", (extract(epoch from w.last_ts) * 1000)::float8 as "lastTs"
    from window_aggregates w join metrics m on m.tenant_id = w.tenant_id and m.id = w.metric_id
    join devices v on v.tenant_id = m.tenant_id and v.id = m.device_id where w.tenant_id = ${tenantId}`
  return Map.groupBy(v.parse(v.array(Part), rows), ({ device, windowStart }) => `${device} ${windowStart}`)
}

it(`counts, aggregates and stores every accepted datapoint once, over ${RUNS} runs of anything going wrong`, async () => {
  const seed = Number(Reflect.get(env, 'PROPERTY_SEED'))
  console.warn(`exactly-once: seed ${seed}, ${RUNS} runs`)
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14 }), async (steps) => {
      Object.assign(queue, { batches: [], windows: [], refuses: false })
      const run = new Run(await createTenant())
      for (const each of steps) await run.take(each)
      await run.settle()
      await expectExactlyOnce(run)
    }),
    { numRuns: RUNS, seed, interruptAfterTimeLimit: 3_000_000 },
  )
}, 3_600_000)
