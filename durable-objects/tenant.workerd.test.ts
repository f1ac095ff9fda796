import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import * as v from 'valibot'
import { describe, expect, it, vi } from 'vitest'
import { Manifest } from '../telemetry/manifest.ts'
import { sql } from '../worker/testing/owner-sql.ts'
import { admin, createKey, createTenant, seriesBatch, type TestTenant } from '../worker/testing/tenant.ts'
import { flushDueAt, restoreState } from './shard-state.ts'
import type { TenantControl } from './tenant-control.ts'
import { TenantShard } from './tenant-shard.ts'
import { shardStatements } from './tenant-shard-sql.ts'

const shardOf = (tenant: TestTenant, shard = 0) => env.TENANT_SHARD.getByName(`${tenant.id}/${shard}`)
const controlOf = (tenant: TestTenant) => env.TENANT_CONTROL.getByName(tenant.id)
const batch = (id: string, device = 'd', value = 1) => ({
  ...{ batch_id: id, source: device, series: [{ device, metric: 'm', points: [[Date.now(), value]] }] },
})

async function manifestsOf(tenant: TestTenant): Promise<Manifest[]> {
  const { objects } = await env.ARCHIVE.list({ prefix: `manifest/${tenant.id}/` })
  return Promise.all(
    objects.map(async ({ key }) => v.parse(Manifest, await (await env.ARCHIVE.get(key))?.json())),
  )
}

const countRows = (tenant: TestTenant, table: string) =>
  runInDurableObject(
    shardOf(tenant),
    (_, { storage }) => storage.sql.exec<{ n: number }>(`select count(*) as n from ${table}`).one().n,
  )

describe('manifests', () => {
  it('list every accepted batch exactly once, with what was rejected, when the tenant is sealed', async () => {
    const tenant = await createTenant()
    const now = Date.now()
    const points = [
      [now, 1],
      [now - 1000, null],
      [now - 2000, 2],
    ]
    await tenant.ingest({ batch_id: 'mixed', series: [{ device: 'd', metric: 'm', points }] })
    for (const id of ['a', 'b']) await tenant.ingest(batch(id))
    await tenant.ingest(batch('a'))
    expect((await admin('POST', `/tenants/${tenant.id}/seal`)).status).toBe(200)
    await tenant.ingest(batch('c'))
    expect((await admin('POST', `/tenants/${tenant.id}/seal`)).status).toBe(200)
    const manifests = await manifestsOf(tenant)
    const entries = manifests.flatMap(({ batches }) => batches)
    expect(entries.map(({ batch_id }) => batch_id)).toEqual(['mixed', 'a', 'b', 'c'])
    expect(entries[0]).toEqual({
      batch_id: 'mixed',
      sha256: (await env.ARCHIVE.head(`raw/${tenant.id}/mixed`))?.customMetadata?.['sha256'],
      received_at: expect.stringMatching(/Z$/),
      datapoints: 2,
      min_ts: new Date(now - 2000).toISOString(),
      max_ts: new Date(now).toISOString(),
      rejected: [[1, 'null_value']],
    })
    expect(await countRows(tenant, 'journal')).toBe(0)
  })

  it('stay whole when the object dies between writing one and cutting its journal', async () => {
    const tenant = await createTenant()
    await tenant.ingest(batch('a'))
    await runInDurableObject(shardOf(tenant), async (instance, { storage }) => {
      await instance.seal()
      const { key } = (await env.ARCHIVE.list({ prefix: `manifest/${tenant.id}/` })).objects[0]!
      expect(key).toContain('/0-')
      // The journal as it was before it was cut, as if the object had died right after the put.
      const entry = (await (await env.ARCHIVE.get(key))!.json<Manifest>()).batches[0]!
      storage.sql.exec(
        'insert into journal values (1, ?, ?, ?)',
        ...[Date.now(), JSON.stringify(entry), new Uint8Array(8)],
      )
    })
    await tenant.ingest(batch('b'))
    await admin('POST', `/tenants/${tenant.id}/seal`)
    const ids = (await manifestsOf(tenant)).flatMap(({ batches }) => batches.map(({ batch_id }) => batch_id))
    expect(ids).toEqual(['a', 'b'])
    expect(await countRows(tenant, 'journal')).toBe(0)
  })
})

describe('the limit of series', () => {
  it('is exact: known series keep flowing, new ones beyond it are rejected alone', async () => {
    const tenant = await createTenant({ plan: { series_limit: 3 } })
    const now = Date.now()
    const series = (names: string[]) => names.map((device) => ({ device, metric: 'm', points: [[now, 1]] }))
    await tenant.ingest({ batch_id: '1', series: series(['a', 'b']) })
    const answer = await tenant.ingest({ batch_id: '2', series: series(['a', 'c', 'd', 'e']) })
    expect(answer.status).toBe(202)
    const { datapoints, rejected, errors } = await answer.json<{
      datapoints: number
      rejected: number
      errors: { path: string; code: string }[]
    }>()
    expect([datapoints, rejected]).toEqual([2, 2])
    expect(errors.map(({ path, code }) => [path, code])).toEqual([
      ['series[2].points[0]', 'series_limit'],
      ['series[3].points[0]', 'series_limit'],
    ])
    const beyond = await tenant.ingest({ batch_id: '3', series: series(['f']) })
    expect([beyond.status, (await beyond.json<{ code: string }>()).code]).toEqual([
      400,
      'no_datapoint_accepted',
    ])
    await evictDurableObject(shardOf(tenant))
    expect((await tenant.ingest({ batch_id: '4', series: series(['a', 'b', 'c']) })).status).toBe(202)
    const status = await (await tenant.get('/v1/status')).json()
    expect(status).toMatchObject({
      series_used: 3,
      series_limit: 3,
      warnings: [{ code: 'series_limit_reached', series_used: 3, series_limit: 3 }],
    })
    await admin('PATCH', `/tenants/${tenant.id}`, { series_limit: 4 })
    expect(await (await tenant.ingest({ batch_id: '3', series: series(['f']) })).json()).toMatchObject({
      rejected: 0,
    })
  })

  it('holds over shards and concurrent batches', async () => {
    const tenant = await createTenant({ plan: { series_limit: 10, shards: 4 } })
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) => tenant.ingest(batch(`b-${i}`, `device-${i % 20}`))),
    )
    expect(answers.filter(({ status }) => status === 202).length).toBeGreaterThanOrEqual(10)
    expect((await controlOf(tenant).status()).seriesUsed).toBe(10)
  })
})

describe('a rate limit', () => {
  const limit = { datapoints_per_second: 10, batches_per_second: 1000 }
  const ten = (id: string, source: string) => ({
    ...{ batch_id: id, source },
    series: [
      {
        device: source,
        metric: 'm',
        points: Array.from({ length: 10 }, (_, i) => [Date.now() - i * 1000, i]),
      },
    ],
  })

  it.each([[1], [3]])(
    'is exact over %i shards: what is beyond it hears 429 with the true waiting time',
    async (shards) => {
      const tenant = await createTenant({ plan: { rate_limit: limit, shards } })
      const bodies = Array.from({ length: 6 }, (_, i) => ten(`b-${i}`, `gateway-${i}`))
      const answers = await Promise.all(bodies.map((body) => tenant.ingest(body)))
      expect(answers.map(({ status }) => status).sort()).toEqual([202, 202, 429, 429, 429, 429])
      const refused = answers.find(({ status }) => status === 429)!
      expect(Number(refused.headers.get('retry-after'))).toBe(1)
      expect((await refused.json<{ code: string }>()).code).toBe('rate_limited')
      const waiting = bodies[answers.indexOf(refused)]
      await vi.waitFor(async () => expect((await tenant.ingest(waiting)).status).toBe(202), {
        timeout: 5_000,
        interval: 200,
      })
      expect((await tenant.ingest(waiting)).status).toBe(200)
      const status = await (await tenant.get('/v1/status')).json()
      expect(status).toMatchObject({
        rate: { limit, datapoints_per_second: 0.5, batches_per_second: 3 / 60 },
      })
    },
  )

  it('survives the eviction of its object and can be lifted', async () => {
    const tenant = await createTenant({
      plan: { rate_limit: { datapoints_per_second: 1, batches_per_second: 1000 } },
    })
    const second = ten('second', 'g')
    expect((await tenant.ingest(ten('first', 'g'))).status).toBe(202)
    expect((await tenant.ingest(second)).status).toBe(429)
    await evictDurableObject(shardOf(tenant))
    expect((await tenant.ingest(second)).status).toBe(429)
    await admin('PATCH', `/tenants/${tenant.id}`, { rate_limit: null })
    expect((await tenant.ingest(second)).status).toBe(202)
  })
})

describe('shards', () => {
  it('grow while traffic runs, and a batch accepted before is a duplicate after', async () => {
    const tenant = await createTenant()
    const bodies = Array.from({ length: 16 }, (_, i) => batch(`b-${i}`, `gateway-${i}`))
    for (const body of bodies) expect((await tenant.ingest(body)).status).toBe(202)
    expect((await admin('PATCH', `/tenants/${tenant.id}`, { shards: 4 })).status).toBe(200)
    await tenant.ingest(batch('tells-the-new-count', 'gateway-0'))
    for (const body of bodies) expect((await tenant.ingest(body)).status).toBe(200)
    for (let i = 0; i < 16; i += 1) {
      expect((await tenant.ingest(batch(`later-${i}`, `gateway-${i}`))).status).toBe(202)
    }
    const homes = await Promise.all(
      Array.from({ length: 16 }, async (_, i) => {
        return (await env.ARCHIVE.head(`raw/${tenant.id}/later-${i}`))?.customMetadata?.['home_shard']
      }),
    )
    expect(new Set(homes)).toEqual(new Set(['0', '1', '2', '3']))
    const { total } = await (await tenant.get('/v1/usage')).json<{ total: object }>()
    expect(total).toMatchObject({ batches: 33, datapoints: 33, duplicates: 16 })
  })

  it('accept one of two Workers’ tries, also when these believe different counts', async () => {
    const tenant = await createTenant({ plan: { shards: 8 } })
    const body = batch('both', 'gateway-5')
    const [first, second] = await Promise.all([tenant.ingest(body), tenant.ingest(body)])
    expect([first.status, second.status].sort()).toEqual([200, 202])
  })

  it('cannot be taken away', async () => {
    const tenant = await createTenant({ plan: { shards: 2 } })
    expect((await admin('PATCH', `/tenants/${tenant.id}`, { shards: 1 })).status).toBe(400)
  })
})

describe('an object that sleeps between its alarms', () => {
  it('finds its flush due when it wakes, and knows since when usage waits', async () => {
    const tenant = await createTenant()
    const prototype = Object.getPrototypeOf(env.WINDOWS)
    const held = vi.spyOn(TenantShard.prototype, 'alarm').mockResolvedValue(undefined)
    const send = vi.spyOn(prototype, 'sendBatch').mockResolvedValue(undefined)
    const before = Date.now()
    const points = [
      [before - 3_600_000, 1],
      [before - 1_000_000, 2],
    ]
    await tenant.ingest({ batch_id: 'b', series: [{ device: 'd', metric: 'm', points }] })
    const { dueAt, since } = await runInDurableObject(shardOf(tenant), (_, { storage }) => {
      const state = restoreState(shardStatements(storage.sql), Math.random)
      const dueAt = flushDueAt(state, state.windows.series.values(), 15_000)
      return { dueAt, since: state.usageDirtySince }
    })
    expect(dueAt).toBeLessThanOrEqual(Date.now())
    expect(since).toBeGreaterThanOrEqual(before)
    expect(since).toBeLessThanOrEqual(Date.now())
    held.mockRestore()
    send.mockRestore()
  })
})

describe('a batch that is wide and mostly rejected', () => {
  it('is accepted, and its manifest names every rejected datapoint', async () => {
    const tenant = await createTenant()
    const now = Date.now()
    const name = (i: number) => `${String(i).padStart(6, '0')}-${'x'.repeat(53)}`
    const series = Array.from({ length: 18_000 }, (_, i) => ({
      device: name(i),
      metric: 'm',
      points: [[now, i]],
    }))
    const repeated = Array.from({ length: 30_000 }, (_, i) => [now, i])
    const body = { batch_id: 'wide', series: [...series, { device: name(0), metric: 'm', points: repeated }] }
    const answer = await tenant.ingest(body)
    expect(answer.status).toBe(202)
    expect(await answer.json()).toMatchObject({ datapoints: 18_000, rejected: 30_000 })
    await shardOf(tenant).seal()
    expect((await manifestsOf(tenant))[0]?.batches[0]?.rejected).toHaveLength(30_000)
  })
})

describe('keys', () => {
  it('leave the shards when they are revoked or over, so that the shards’ copy stays small', async () => {
    const tenant = await createTenant()
    await tenant.ingest(batch('configures'))
    for (let i = 0; i < 3; i += 1) {
      const { keyId } = await createKey(tenant.id, ['read'])
      await admin('DELETE', `/tenants/${tenant.id}/keys/${keyId}`)
    }
    const config = await runInDurableObject(shardOf(tenant), (_, { storage }) =>
      storage.sql.exec<{ value: string }>(`select value from meta where key = 'config'`).one(),
    )
    expect(JSON.parse(config.value).keys).toHaveLength(1)
    expect(await controlOf(tenant).keyPage(10)).toHaveLength(4)
  })

  it('rotate with an overlap in which old and new both work, and the old one ends with it', async () => {
    const tenant = await createTenant()
    await tenant.ingest(batch('before'))
    const path = `/tenants/${tenant.id}/keys/${tenant.keyId}/rotate`
    const rotated = await (await admin('POST', path, { overlap_seconds: 3600 })).json<{
      key: string
      scopes: string[]
    }>()
    expect(rotated.scopes).toEqual(['ingest', 'read', 'manage'])
    const headers = { 'x-api-key': rotated.key }
    expect((await tenant.ingest(batch('old key'.replace(' ', '-')))).status).toBe(202)
    expect((await tenant.ingest(batch('new-key'), { headers })).status).toBe(202)
    const again = await createTenant()
    const now = await admin('POST', `/tenants/${again.id}/keys/${again.keyId}/rotate`, { overlap_seconds: 0 })
    expect(now.status).toBe(201)
    expect((await again.ingest(batch('x'))).status).toBe(401)
    expect((await again.get('/v1/devices')).status).toBe(401)
  })

  it('that is revoked between the archiving and the admission of a batch does not get it in', async () => {
    const tenant = await createTenant()
    await tenant.ingest(batch('warm-up'))
    const prototype = Object.getPrototypeOf(env.ARCHIVE)
    const realPut = prototype.put
    const put = vi.spyOn(prototype, 'put').mockImplementation(async function (
      this: R2Bucket,
      ...args: unknown[]
    ) {
      const stored = await realPut.apply(this, args)
      expect((await admin('DELETE', `/tenants/${tenant.id}/keys/${tenant.keyId}`)).status).toBe(204)
      return stored
    })
    const answer = await tenant.ingest(batch('too-late'))
    put.mockRestore()
    expect(answer.status).toBe(401)
    expect(await env.ARCHIVE.head(`raw/${tenant.id}/too-late`)).toBeNull()
    const reader = await createKey(tenant.id, ['read'])
    const { total } = await (await reader.get('/v1/usage')).json<{ total: object }>()
    expect(total).toMatchObject({ batches: 1 })
  })

  it('are told to a shard that did not answer at first, before long', async () => {
    const tenant = await createTenant()
    await tenant.ingest(batch('warm-up'))
    const apply = vi.spyOn(TenantShard.prototype, 'applyConfig').mockImplementationOnce(() => {
      throw new Error('the shard is restarting')
    })
    const path = `/tenants/${tenant.id}/keys/${tenant.keyId}`
    expect((await admin('DELETE', path)).status).toBe(503)
    expect((await tenant.ingest(batch('meanwhile'))).status).toBe(202)
    await vi.waitFor(() => expect(apply).toHaveBeenCalledTimes(2), { timeout: 10_000, interval: 100 })
    expect((await tenant.ingest(batch('after'))).status).toBe(401)
    apply.mockRestore()
  })
})

describe('deleting a tenant', () => {
  it('refuses its keys at once and leaves nothing of it in objects, archive and database', async () => {
    const tenant = await createTenant({ plan: { shards: 2 } })
    const other = await createTenant()
    for (let i = 0; i < 6; i += 1) await tenant.ingest(batch(`b-${i}`, `gateway-${i}`))
    const stays = seriesBatch('stays')
    await other.ingest(stays)
    await vi.waitFor(
      async () => {
        const [row] = await sql`select count(*)::int as n from batches where tenant_id = ${tenant.id}`
        expect(row).toEqual({ n: 6 })
      },
      { timeout: 20_000, interval: 200 },
    )
    await admin('POST', `/tenants/${tenant.id}/seal`)
    const answer = await admin('DELETE', `/tenants/${tenant.id}`)
    expect([answer.status, (await answer.json<{ state: string }>()).state]).toEqual([202, 'deleting'])
    // A try that meets the end of its shard is answered with 503.
    await vi.waitFor(async () => expect((await tenant.ingest(batch('after'))).status).toBe(401), {
      ...{ timeout: 20_000, interval: 200 },
    })
    expect(await env.ARCHIVE.head(`raw/${tenant.id}/after`)).toBeNull()
    await vi.waitFor(async () => expect((await admin('GET', `/tenants/${tenant.id}`)).status).toBe(404), {
      ...{ timeout: 20_000, interval: 200 },
    })
    for (const prefix of ['raw', 'manifest']) {
      expect((await env.ARCHIVE.list({ prefix: `${prefix}/${tenant.id}/` })).objects).toEqual([])
    }
    for (const table of [
      'datapoints',
      'batches',
      'devices',
      'metrics',
      'window_aggregates',
      'api_keys',
      'usage_daily',
    ]) {
      const rows = await sql.query(`select 1 from ${table} where tenant_id = $1`, [tenant.id])
      expect([table, rows.length]).toEqual([table, 0])
    }
    await vi.waitFor(async () => expect(await controlOf(tenant).describe()).toBeUndefined(), 10_000)
    expect((await other.get('/v1/batches/stays')).status).toBe(200)
    expect((await tenant.ingest(batch('much-later'))).status).toBe(401)
    // An object that a try left behind, whose call of the shard failed: the next try takes it along.
    const object = (await env.ARCHIVE.get(`raw/${other.id}/stays`))!
    const metadata = { customMetadata: object.customMetadata! }
    await env.ARCHIVE.put(`raw/${tenant.id}/stays`, await object.bytes(), metadata)
    expect((await tenant.ingest(stays)).status).toBe(401)
    expect(await env.ARCHIVE.head(`raw/${tenant.id}/stays`)).toBeNull()
  }, 60_000)

  it('has its shard refuse its keys, and not fail, between the loss of its storage and its end', async () => {
    const tenant = await createTenant()
    await tenant.ingest(batch('first'))
    const [key] = await controlOf(tenant).keyPage(1)
    await runInDurableObject(shardOf(tenant), async (shard: TenantShard) => {
      await shard.destroy()
      expect(await shard.contest(key!.hash, 'first')).toBe('invalid_api_key')
    })
  })

  it('has its control refuse its keys, and not fail, between the loss of its storage and its end', async () => {
    const tenant = await createTenant()
    const [key] = await controlOf(tenant).keyPage(1)
    await runInDurableObject(controlOf(tenant), async (control: TenantControl) => {
      await control.startDeletion()
      while (control.describe() !== undefined) await control.alarm()
      expect(control.authorize(key!.hash, ['read'])).toBe('invalid_api_key')
    })
  })
})
