import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { deviceIdOf } from '../telemetry/series-id.ts'
import { holdQueues } from '../worker/testing/hold-queues.ts'
import { sql } from '../worker/testing/owner-sql.ts'
import { admin, createTenant, type TestTenant } from '../worker/testing/tenant.ts'

const MINUTE = 60_000
/** Tomorrow, so that no alarm rings by itself. */
const START = Math.ceil(Date.now() / MINUTE) * MINUTE + 1440 * MINUTE

/** The test is the clock, the alarm and the queues. */
const clock = { now: START }
let queues: ReturnType<typeof holdQueues>
beforeEach(() => {
  clock.now = START
  vi.spyOn(Date, 'now').mockImplementation(() => clock.now)
  queues = holdQueues()
})
afterEach(() => {
  vi.restoreAllMocks()
})

const shardOf = (tenant: TestTenant) => env.TENANT_SHARD.getByName(`${tenant.id}/0`)

/** Data that is as old as the test says, so that no window's closing is mixed up with it. */
async function send(tenant: TestTenant, ...devices: string[]) {
  const points = [[clock.now - 10 * 86_400_000, 1]]
  const series = devices.map((device) => ({ device, metric: 'm', points }))
  expect((await tenant.ingest({ batch_id: `b-${clock.now}-${devices[0]}`, series })).status).toBe(202)
}

/** Lets the time pass, the alarm ring when it is due, and what is sent be stored; flushes unless their consumer is away. */
async function passUntil(tenant: TestTenant, minutes: number, { consumer = true } = {}) {
  const until = START + minutes * MINUTE
  while (clock.now < until) {
    clock.now = Math.min(until, clock.now + MINUTE / 2)
    await runDurableObjectAlarm(shardOf(tenant))
    await queues.deliver('edgepulse-batches')
    if (consumer) await queues.deliver('edgepulse-windows')
  }
}

/** Devices that send every minute for six. */
async function sending(tenant: TestTenant, ...devices: string[]) {
  for (let minute = 0; minute <= 6; minute += 1) {
    await passUntil(tenant, minute)
    await send(tenant, ...devices)
  }
}

/** What Postgres was told of a device, in minutes since the start. */
async function presenceOf(tenant: TestTenant, device: string) {
  const [row] = await sql`select (extract(epoch from silent_since) * 1000)::float8 as silent,
      (extract(epoch from gap_from) * 1000)::float8 as since, (extract(epoch from gap_until) * 1000)::float8 as until,
      gap_counted_ms::float8 as counted, cadence_ms::float8 as cadence
    from device_presence where tenant_id = ${tenant.id} and device_id = ${deviceIdOf(tenant.id, device)}`
  const minute = (at: number | null) => (at === null ? null : (at - START) / MINUTE)
  const { silent, since, until, counted, cadence } = row as Record<string, number | null>
  return {
    silent: minute(silent!),
    gap: [minute(since!), minute(until!)],
    counted: counted! / MINUTE,
    cadence: cadence! / MINUTE,
  }
}

/** How far the shard's word goes, in minutes since the start, and from where silence counts. */
async function wordOf(tenant: TestTenant) {
  const [row] = await sql`select (extract(epoch from as_of) * 1000)::float8 as known,
      (extract(epoch from count_from) * 1000)::float8 as since from shard_presence where tenant_id = ${tenant.id}`
  const { known, since } = row as { known: number; since: number }
  return { known: (known - START) / MINUTE, since: since === 0 ? 0 : (since - START) / MINUTE }
}

describe('a shard tells Postgres', () => {
  it('that devices fall silent although nothing comes, confirms it, and says when they are back', async () => {
    const tenant = await createTenant()
    await sending(tenant, 'a', 'b')
    expect(await presenceOf(tenant, 'a')).toMatchObject({ silent: null, cadence: 1 })
    await passUntil(tenant, 9)
    expect(await presenceOf(tenant, 'a')).toMatchObject({ silent: 6, cadence: 1 })
    await passUntil(tenant, 20)
    expect((await wordOf(tenant)).known).toBeGreaterThanOrEqual(18.5)
    await send(tenant, 'b')
    await passUntil(tenant, 21.5)
    expect(await presenceOf(tenant, 'a')).toMatchObject({ silent: 6, gap: [null, null] })
    expect(await presenceOf(tenant, 'b')).toMatchObject({ silent: null, gap: [6, 20], counted: 14 })
  })

  it('the same after evictions, whatever was in the journal and in the checkpoint', async () => {
    const tenant = await createTenant()
    await sending(tenant, 'd')
    await evictDurableObject(shardOf(tenant))
    await passUntil(tenant, 9)
    await evictDurableObject(shardOf(tenant))
    expect(await presenceOf(tenant, 'd')).toMatchObject({ silent: 6, cadence: 1 })
    await passUntil(tenant, 10)
    await send(tenant, 'd')
    await evictDurableObject(shardOf(tenant))
    await passUntil(tenant, 11.5)
    expect(await presenceOf(tenant, 'd')).toMatchObject({ silent: null, gap: [6, 10], cadence: 1 })
  })

  it('nothing while the consumer is away, with one report in its storage, and all of it when it is back', async () => {
    const tenant = await createTenant()
    await sending(tenant, 'a', 'b')
    await passUntil(tenant, 7)
    const before = await wordOf(tenant)
    await passUntil(tenant, 30, { consumer: false })
    await send(tenant, 'b')
    await passUntil(tenant, 60, { consumer: false })
    const stored = await runInDurableObject(shardOf(tenant), (_, { storage }) =>
      storage.sql
        .exec<{ n: number; bytes: number }>('select count(*) as n, sum(length(bytes)) as bytes from flushes')
        .one(),
    )
    expect(stored.n).toBeLessThanOrEqual(4) // with the counters and the window of the batch
    expect(await wordOf(tenant)).toEqual(before)
    expect(await presenceOf(tenant, 'a')).toMatchObject({ silent: null })
    await passUntil(tenant, 64)
    expect(await presenceOf(tenant, 'a')).toMatchObject({ silent: 6 })
    expect(await presenceOf(tenant, 'b')).toMatchObject({ silent: 30, gap: [6, 30] })
    expect(await wordOf(tenant)).toMatchObject({ since: 0 })
  })

  it('no silence of the time in which it was away itself', async () => {
    const tenant = await createTenant()
    await sending(tenant, 'a', 'b')
    await passUntil(tenant, 7)
    await evictDurableObject(shardOf(tenant))
    clock.now = START + 90 * MINUTE // no alarm rang
    await send(tenant, 'b')
    await passUntil(tenant, 91)
    expect(await wordOf(tenant)).toMatchObject({ since: 90 })
    expect(await presenceOf(tenant, 'a')).toMatchObject({ silent: null })
    expect(await presenceOf(tenant, 'b')).toMatchObject({ silent: null, counted: 0 })
    await passUntil(tenant, 94)
    expect(await presenceOf(tenant, 'a')).toMatchObject({ silent: 6 })
  })

  it('no silence of the time in which the tenant was suspended', async () => {
    const tenant = await createTenant()
    await sending(tenant, 'd')
    await passUntil(tenant, 7)
    await admin('PATCH', `/tenants/${tenant.id}`, { state: 'suspended' })
    await passUntil(tenant, 30)
    await admin('PATCH', `/tenants/${tenant.id}`, { state: 'active' })
    expect(await wordOf(tenant)).toMatchObject({ since: 30 }) // before any shard says so
    await evictDurableObject(shardOf(tenant))
    await passUntil(tenant, 34)
    expect(await wordOf(tenant)).toMatchObject({ since: 30 })
  })

  it('again what a flush told that was given up', async () => {
    const tenant = await createTenant()
    await sending(tenant, 'd')
    await passUntil(tenant, 7)
    await passUntil(tenant, 9, { consumer: false })
    const [lost] = queues.held['edgepulse-windows'].splice(0) as { flush_id: number }[]
    await shardOf(tenant).failFlush(lost!.flush_id)
    await passUntil(tenant, 12)
    expect(await presenceOf(tenant, 'd')).toMatchObject({ silent: 6 })
    expect((await wordOf(tenant)).known).toBeGreaterThan(9)
  })
})

it('a month of silence costs a shard a hundred flushes, and less than three alarms for each', async () => {
  const tenant = await createTenant()
  await sending(tenant, 'd')
  let told = 0
  let alarms = 0
  for (let at: number | null = clock.now; at !== null && at < START + 30 * 86_400_000; ) {
    clock.now = at
    await runDurableObjectAlarm(shardOf(tenant))
    alarms += 1
    told += queues.held['edgepulse-windows'].length
    await queues.deliverAll()
    at = await runInDurableObject(shardOf(tenant), (_, { storage }) => storage.getAlarm())
  }
  console.warn(`a month of silence: ${told} flushes, ${alarms} alarms`)
  expect(told).toBeGreaterThan(50)
  expect(told).toBeLessThanOrEqual(100)
  expect(alarms).toBeLessThan(3 * told)
  expect(await presenceOf(tenant, 'd')).toMatchObject({ silent: 6 })
})
