import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { archiveKeyOf } from '../telemetry/archived-batch.ts'
import { sql } from '../worker/testing/owner-sql.ts'
import { createTenant, type TestTenant } from '../worker/testing/tenant.ts'
import { TenantShard } from './tenant-shard.ts'

/* Faults under the runtime's own queues and alarms; `every-step.workerd.test.ts` has them between any two effects. */

const WINDOW_MS = 300_000
const shardOf = (tenant: TestTenant) => env.TENANT_SHARD.getByName(`${tenant.id}/0`)
const oldStart = () => Math.floor(Date.now() / WINDOW_MS) * WINDOW_MS - 10 * WINDOW_MS

/** Ten datapoints of a window long past and one later that closes it. */
function closingBatch(id: string) {
  const start = oldStart()
  const points = Array.from({ length: 10 }, (_, i) => [start + i * 1000, i])
  return {
    batch_id: id,
    series: [{ device: 'd', metric: 'm', points: [...points, [start + 3 * WINDOW_MS, 0]] }],
  }
}

afterEach(() => {
  vi.restoreAllMocks()
})

async function counted(tenant: TestTenant) {
  const { total } = await (await tenant.get('/v1/usage')).json<{ total: Record<string, number> }>()
  const [row] = await sql`select
    (select count(*)::int from datapoints where tenant_id = ${tenant.id}) as stored,
    (select coalesce(sum(count), 0)::int from window_aggregates where tenant_id = ${tenant.id}) as windowed,
    (select coalesce(max(datapoints), 0)::int from usage_daily where tenant_id = ${tenant.id}) as billed`
  return { batches: total['batches'], datapoints: total['datapoints'], ...row }
}

const everythingOnce = { batches: 1, datapoints: 11, stored: 11, windowed: 10, billed: 11 }

async function expectEverythingOnce(tenant: TestTenant): Promise<void> {
  await vi.waitFor(async () => expect(await counted(tenant)).toEqual(everythingOnce), {
    timeout: 25_000,
    interval: 200,
  })
}

const once = (error: string) => async () => {
  throw new Error(error)
}

type Fault = [name: string, inject: (tenant: TestTenant) => void, first: number]

describe('a gateway that sends again until it hears 202 or 200', () => {
  it.each<Fault>([
    [
      'the archive fails',
      () => vi.spyOn(Object.getPrototypeOf(env.ARCHIVE), 'put').mockImplementationOnce(once('R2 is away')),
      503,
    ],
    [
      'the Worker dies after the archive took the batch',
      () => vi.spyOn(TenantShard.prototype, 'admit').mockImplementationOnce(once('never reached the object')),
      503,
    ],
    [
      'the object dies after the commit, before it answers',
      () => {
        const real = TenantShard.prototype.admit
        vi.spyOn(TenantShard.prototype, 'admit').mockImplementationOnce(async function (
          this: TenantShard,
          request,
        ) {
          await real.call(this, request)
          throw new Error('died after the commit')
        })
      },
      503,
    ],
    [
      'the queue takes no message',
      () =>
        vi.spyOn(Object.getPrototypeOf(env.BATCHES), 'send').mockImplementationOnce(once('queue is away')),
      202,
    ],
    [
      'the queue loses the message',
      () =>
        vi.spyOn(Object.getPrototypeOf(env.BATCHES), 'send').mockImplementationOnce(async () => undefined),
      202,
    ],
    [
      'the flush cannot be announced',
      () =>
        vi
          .spyOn(Object.getPrototypeOf(env.WINDOWS), 'sendBatch')
          .mockImplementationOnce(once('queue is away')),
      202,
    ],
    [
      'the consumer dies after writing a batch, before acknowledging it',
      () => vi.spyOn(TenantShard.prototype, 'acknowledgeBatches').mockImplementationOnce(() => fail()),
      202,
    ],
    [
      'the consumer dies after writing a flush, before acknowledging it',
      () => vi.spyOn(TenantShard.prototype, 'acknowledgeFlush').mockImplementationOnce(() => fail()),
      202,
    ],
  ])('is counted, stored and aggregated once when %s', async (_, inject, firstStatus) => {
    const tenant = await createTenant()
    inject(tenant)
    const body = closingBatch('b')
    const first = await tenant.ingest(body)
    expect(first.status).toBe(firstStatus)
    if (firstStatus === 503) {
      expect(first.headers.get('retry-after')).toMatch(/^\d+$/)
      expect([200, 202]).toContain((await tenant.ingest(body)).status)
    }
    await expectEverythingOnce(tenant)
  })

  it('reads its memory from the storage again when a flush fails, and flushes later', async () => {
    const tenant = await createTenant()
    await runInDurableObject(shardOf(tenant), (_, { storage }) => {
      storage.sql.exec(
        `create trigger broken before insert on flushes begin select raise(abort, 'disk'); end`,
      )
    })
    expect((await tenant.ingest(closingBatch('b'))).status).toBe(202)
    await runDurableObjectAlarm(shardOf(tenant))
    expect((await shardOf(tenant).status()).openWindows).toBe(2)
    await runInDurableObject(shardOf(tenant), (_, { storage }) => {
      storage.sql.exec('drop trigger broken')
    })
    await expectEverythingOnce(tenant)
  })
})

describe('a batch_id', () => {
  const batch = (value: number, ts = Date.now()) => ({
    ...{ batch_id: 'contested', series: [{ device: 'd', metric: 'm', points: [[ts, value]] }] },
  })

  it('is free again after a refusal whose removal from the archive failed at first', async () => {
    const tenant = await createTenant({ plan: { retention_days: 1 } })
    vi.spyOn(Object.getPrototypeOf(env.ARCHIVE), 'delete').mockImplementationOnce(once('R2 is away'))
    const tooOld = batch(1, Date.now() - 3 * 86_400_000)
    expect((await tenant.ingest(tooOld)).status).toBe(400)
    expect(await env.ARCHIVE.head(archiveKeyOf(tenant.id, 'contested'))).not.toBeNull()
    const other = batch(2)
    expect((await tenant.ingest(other)).status).toBe(503) // the removal may still be under way
    await vi.waitFor(async () => expect((await tenant.ingest(other)).status).toBe(202), {
      ...{ timeout: 20_000, interval: 500 },
    })
  })

  it('is free again when the first sender’s batch was archived and never admitted', async () => {
    const tenant = await createTenant()
    vi.spyOn(TenantShard.prototype, 'admit').mockImplementationOnce(once('the Worker died'))
    expect((await tenant.ingest(batch(1))).status).toBe(503)
    expect((await tenant.ingest(batch(2))).status).toBe(503)
    expect((await tenant.ingest(batch(2))).status).toBe(202)
    expect(await (await env.ARCHIVE.get(archiveKeyOf(tenant.id, 'contested')))?.text()).toContain(',2]')
  })

  it('is taken for other content that comes while its first batch is still being admitted', async () => {
    const tenant = await createTenant({ plan: { retention_days: 1 } })
    expect((await tenant.ingest(batch(1, Date.now() - 3 * 86_400_000))).status).toBe(400)
    const prototype = Object.getPrototypeOf(env.ARCHIVE)
    const realHead = prototype.head
    const looked = Promise.withResolvers<void>()
    // After a refusal under its batch_id the shard looks into the archive before it admits.
    const heads = vi.spyOn(prototype, 'head').mockImplementationOnce(async function (
      this: R2Bucket,
      key: unknown,
    ) {
      await looked.promise
      return realHead.call(this, key)
    })
    const contests = vi.spyOn(TenantShard.prototype, 'contest')
    const first = tenant.ingest(batch(2))
    await vi.waitFor(() => expect(heads).toHaveBeenCalled())
    const others = [3, 4].map((value) => tenant.ingest(batch(value)))
    await vi.waitFor(() => expect(contests).toHaveBeenCalledTimes(2))
    looked.resolve()
    expect((await first).status).toBe(202)
    expect((await Promise.all(others)).map(({ status }) => status)).toEqual([409, 409])
  })

  it('never gets a batch accepted whose bytes are being removed from the archive', async () => {
    const tenant = await createTenant()
    await tenant.ingest({ ...batch(0), batch_id: 'warm-up' })
    const body = batch(1)
    const prototype = Object.getPrototypeOf(env.ARCHIVE)
    // The head of the second request is answered from before the removal and arrives after it.
    const realHead = prototype.head
    const removed = Promise.withResolvers<void>()
    const heads = vi.spyOn(prototype, 'head').mockImplementation(async function (
      this: R2Bucket,
      key: unknown,
    ) {
      const object = await realHead.call(this, key)
      await removed.promise
      return object
    })
    vi.spyOn(TenantShard.prototype, 'admit').mockImplementationOnce(async function (this: TenantShard) {
      return { outcome: 'refused', code: 'insufficient_scope' } as const
    })
    expect((await tenant.ingest(body)).status).toBe(403) // archived, not admitted, not removed
    const second = tenant.ingest(body)
    await vi.waitFor(() => expect(heads).toHaveBeenCalled())
    await shardOf(tenant).contest((await keyHashOf(tenant)) ?? '', 'contested')
    removed.resolve()
    const status = (await second).status
    vi.restoreAllMocks()
    if (status === 202) expect(await env.ARCHIVE.head(archiveKeyOf(tenant.id, 'contested'))).not.toBeNull()
    else expect(status).toBe(503)
  })
})

async function keyHashOf(tenant: TestTenant): Promise<string | undefined> {
  const keys = await env.TENANT_CONTROL.getByName(tenant.id).keyPage(1)
  return keys[0]?.hash
}

function fail(): never {
  throw new Error('the consumer died')
}
