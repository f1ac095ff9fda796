import { env } from 'cloudflare:workers'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { TenantShard } from '../index.ts'
import { batchMessage, consume, rowsOf, withoutQueue } from '../testing/consume.ts'
import { sql } from '../testing/owner-sql.ts'
import { CUT, raise, withPostgresFault } from '../testing/postgres-faults.ts'
import { admin, createTenant, seriesBatch, type TestTenant } from '../testing/tenant.ts'

/* Postgres really fails, in the midst of transactions; `every-step.workerd.test.ts` has it at each statement. */

const QUEUE = 'edgepulse-batches'
const SEED = Number(Reflect.get(env, 'PROPERTY_SEED'))
/** By then a message that failed for a passing reason has been let go, and the shard sends it again. */
const LATE = 9
/** As wrangler.toml has it: tried once, and ten times again. */
const ATTEMPTS = 11

beforeEach(() => {
  vi.spyOn(TenantShard.prototype, 'alarm').mockResolvedValue() // nothing is sent again but by the tests
})
afterEach(() => {
  vi.restoreAllMocks()
})

const pendingOf = async ({ id }: TestTenant) => {
  const { batchesPending } = await env.TENANT_SHARD.getByName(`${id}/0`).status()
  return batchesPending
}

const batchOf = async (tenant: TestTenant, batchId: string) =>
  (await tenant.get(`/v1/batches/${batchId}`)).json<{ status: string; error: string | null }>()

describe('what Postgres says', () => {
  const passing = ['40001', '40P01', '57P01', '57P03', '53300', '53200', '53100', '08006', '55P03', '25006']
  const permanent = ['22P02', '22003', '22021', '23505', '23514', '21000', '42501', '42P01']

  it('decides whether a batch waits for it or is at fault, wherever in the transaction, and it is stored once', async () => {
    const tenant = await createTenant()
    await withoutQueue(() => tenant.ingest(seriesBatch('b')))
    const message = batchMessage(tenant, 'b')
    const outcome = (statement: { query: string }, at: number) =>
      withPostgresFault({ statement, at: at % 6 }, () => consume(QUEUE, [message], { attempts: LATE }))
    const letGo = { acked: ['m0'], retried: [] }
    const tried = { acked: [], retried: ['m0'] }
    for (const [i, state] of passing.entries()) {
      expect([state, await outcome(raise(state), i)]).toEqual([state, letGo])
    }
    for (let at = 0; at < 6; at += 1) expect(await outcome(CUT, at)).toEqual(letGo)
    for (const [i, state] of permanent.entries()) {
      expect([state, await outcome(raise(state), i)]).toEqual([state, tried])
    }
    expect(await rowsOf(tenant)).toMatchObject({ datapoints: 0, devices: 0, metrics: 0, batches: 0 })
    expect([await pendingOf(tenant), await batchOf(tenant, 'b')]).toMatchObject([1, { status: 'accepted' }])
    expect(await consume(QUEUE, [message])).toEqual(letGo)
    expect(await rowsOf(tenant)).toMatchObject({ datapoints: 10, devices: 1, metrics: 1, batches: 1 })
    expect([await pendingOf(tenant), await batchOf(tenant, 'b')]).toMatchObject([0, { status: 'persisted' }])
  })
})

describe('a batch that takes several transactions', () => {
  it('is written from the start again when one of them fails, and has happened once', async () => {
    const tenant = await createTenant()
    const now = Date.now()
    // Each of these characters is four on its way to Postgres.
    const names = Array.from({ length: 6_000 }, (_, i) => '"\\'.repeat(60) + i)
    const series = names.map((device) => ({ device, metric: '"'.repeat(100), points: [[now, 1]] }))
    await withoutQueue(() => tenant.ingest({ batch_id: 'wide', series }))
    const faults = [
      { nth: 0, at: 2 },
      { nth: 1, at: 0 },
      { nth: 1, at: 3 },
    ]
    for (const fault of faults) {
      const failed = await withPostgresFault({ statement: CUT, ...fault }, () =>
        consume(QUEUE, [batchMessage(tenant, 'wide')]),
      )
      expect(failed).toEqual({ acked: [], retried: ['m0'] })
      expect(await batchOf(tenant, 'wide')).toMatchObject({ status: 'accepted' })
      expect(await rowsOf(tenant)).toMatchObject({ batches: 0 })
    }
    expect((await rowsOf(tenant))?.['devices']).toBeGreaterThan(0) // the first transaction stays
    expect(await consume(QUEUE, [batchMessage(tenant, 'wide')])).toMatchObject({ acked: ['m0'] })
    expect(await rowsOf(tenant)).toMatchObject({ datapoints: 6_000, devices: 6_000, batches: 1 })
  }, 120_000)
})

describe('deliveries', () => {
  it(`may come twice, in any order and at the same time, seed ${SEED}`, async () => {
    const tenant = await createTenant()
    const ids = Array.from({ length: 60 }, (_, i) => `b-${i}`)
    const devices = ['a', 'b', 'c']
    const now = Date.now()
    const body = (batch_id: string, i: number) => ({
      batch_id,
      series: devices.map((device) => ({ device, metric: 'm', points: [[now - i * 1000, i]] })),
    })
    await withoutQueue(async () => {
      for (const [i, id] of ids.entries()) await tenant.ingest(body(id, i))
    })
    const twice = ids.filter((_, i) => i % 10 === 0)
    const anyOrder = fc.shuffledSubarray([...ids, ...twice], { minLength: ids.length + twice.length })
    const [order = []] = fc.sample(anyOrder, { numRuns: 1, seed: SEED })
    let due = order.map((id) => batchMessage(tenant, id))
    for (let tries = 0; due.length > 0; tries += 1) {
      expect(tries).toBeLessThan(5)
      const deliveries = Array.from({ length: 6 }, (_, i) => due.filter((_, at) => at % 6 === i))
      const outcomes = await Promise.all(deliveries.map((bodies) => consume(QUEUE, bodies)))
      due = outcomes.flatMap(({ retried }, i) =>
        retried.map((id: string) => deliveries[i]![Number(id.slice(1))]!),
      )
    }
    expect(await rowsOf(tenant)).toMatchObject({ datapoints: 180, batches: 60, devices: 3, metrics: 3 })
    const [{ sum } = {}] = await sql`select sum(value) from datapoints where tenant_id = ${tenant.id}`
    expect(sum).toBe(3 * (59 * 30))
    expect(await pendingOf(tenant)).toBe(0)
  })

  it('of fifty batches with one that Postgres refuses store the others, and that one once it is mended', async () => {
    const tenant = await createTenant()
    const ids = Array.from({ length: 50 }, (_, i) => `b-${i}`)
    const now = Date.now()
    await withoutQueue(async () => {
      for (const [i, batch_id] of ids.entries()) {
        await tenant.ingest({ batch_id, series: [{ device: 'd', metric: 'm', points: [[now - i, i]] }] })
      }
    })
    const refusal = await refuse(tenant, 'b-17')
    const bodies = ids.map((id) => batchMessage(tenant, id))
    const { acked, retried } = await consume(QUEUE, bodies)
    expect([acked.length, retried]).toEqual([49, ['m17']])
    expect(await rowsOf(tenant)).toMatchObject({ datapoints: 49, batches: 49 })
    expect(await batchOf(tenant, 'b-17')).toMatchObject({ status: 'accepted', error: null })
    for (let attempts = 1; attempts <= ATTEMPTS; attempts += 1) {
      expect(await consume(QUEUE, [bodies[17]], { attempts })).toEqual({ acked: [], retried: ['m0'] })
    }
    await consume('edgepulse-dlq', [bodies[17]])
    const error = expect.stringContaining('Postgres refused the rows: no b-17 here')
    expect(await batchOf(tenant, 'b-17')).toMatchObject({ status: 'failed', error })
    expect(await pendingOf(tenant)).toBe(0)
    const letters = await admin('GET', `/dead-letters?tenant=${tenant.id}`)
    const { data } = await letters.json<{ data: { id: string; reason: string }[] }>()
    expect(data).toMatchObject([{ reason: error, message: bodies[17] }])
    await refusal.mend()
    await withoutQueue(() => admin('POST', `/dead-letters/${data[0]?.id}/retry`))
    expect(await consume(QUEUE, [bodies[17], bodies[17]])).toMatchObject({ acked: ['m0', 'm1'] })
    expect(await rowsOf(tenant)).toMatchObject({ datapoints: 50, batches: 50 })
    expect(await batchOf(tenant, 'b-17')).toMatchObject({ status: 'persisted', error: null })
  })
})

/** Postgres refuses one batch's row, and with it its transaction, until that is mended. */
async function refuse(tenant: TestTenant, batchId: string): Promise<{ mend(): Promise<unknown> }> {
  const name = `refuse_${tenant.id.replaceAll('-', '')}`
  await sql.query(`create function ${name}() returns trigger language plpgsql as $$
    begin raise check_violation using message = 'no ${batchId} here'; end $$`)
  await sql.query(`create trigger ${name} before insert on batches for each row
    when (new.tenant_id = '${tenant.id}' and new.batch_id = '${batchId}' and new.status = 'persisted')
    execute function ${name}()`)
  return { mend: () => sql.query(`drop function ${name} cascade`) }
}
