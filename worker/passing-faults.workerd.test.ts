import { createExecutionContext, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import worker, { TenantControl, TenantShard } from './index.ts'
import { sql } from './testing/owner-sql.ts'
import { insertMetric } from './testing/reads.ts'
import { createTenant, request, seriesBatch, type TestTenant } from './testing/tenant.ts'

/*
 * Whatever a request waits for may be away: Postgres, the archive, an object, a queue. A gateway drops what is
 * answered with 500 and sends again what is answered with 503, so the answer is 503 with Retry-After, within 10 s,
 * and the same request passes afterwards.
 */

let tenant: TestTenant
let ids: Record<'tenant' | 'metric' | 'rule' | 'webhook' | 'delivery', string>

const idOf = async (answer: Response) => (await answer.json<{ id: string }>()).id

beforeAll(async () => {
  tenant = await createTenant()
  const webhook = await idOf(await tenant.send('POST', '/v1/webhooks', { url: 'https://hooks.example.com/' }))
  ids = {
    tenant: tenant.id,
    metric: await insertMetric(sql, tenant),
    rule: await idOf(await tenant.send('POST', '/v1/alert-rules', { name: 'hot' })),
    webhook,
    delivery: await idOf(await tenant.send('POST', `/v1/webhooks/${webhook}/test`)),
  }
  await tenant.ingest(seriesBatch('known'))
})
afterEach(() => {
  vi.restoreAllMocks()
})

async function expectUnavailable(answer: Response): Promise<void> {
  const body = await answer.json<{ status: number; code: string }>()
  expect(body).toMatchObject({ status: 503, code: 'unavailable' })
  expect([answer.status, answer.headers.get('content-type')]).toEqual([503, 'application/problem+json'])
  expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
}

type Call = [method: string, path: string, body?: object]

const READS: Call[] = [
  ['GET', '/v1/devices'],
  ['GET', '/v1/metrics'],
  ['GET', '/v1/metrics/{metric}/datapoints'],
  ['GET', '/v1/metrics/{metric}/windows'],
  ['GET', '/v1/anomalies'],
  ['GET', '/v1/usage'],
  ['GET', '/v1/alerts'],
  ['GET', '/v1/alert-rules'],
  ['GET', '/v1/alert-rules/{rule}'],
  ['GET', '/v1/webhooks'],
  ['GET', '/v1/webhooks/{webhook}'],
  ['GET', '/v1/webhooks/{webhook}/deliveries'],
]
const WRITES: Call[] = [
  ['POST', '/v1/alert-rules', { name: 'cold' }],
  ['PATCH', '/v1/alert-rules/{rule}', { enabled: false }],
  ['DELETE', '/v1/alert-rules/{rule}'],
  ['POST', '/v1/webhooks', { url: 'https://hooks.example.com/' }],
  ['PATCH', '/v1/webhooks/{webhook}', { enabled: false }],
  ['DELETE', '/v1/webhooks/{webhook}'],
  ['POST', '/v1/webhooks/{webhook}/rotate-secret'],
  ['POST', '/v1/webhooks/{webhook}/test'],
  ['POST', '/v1/deliveries/{delivery}/retry'],
  ['POST', '/v1/webhooks/{webhook}/retry-failed', { since: 0 }],
]
const ADMIN: Call[] = [
  ['GET', '/admin/tenants'],
  ['POST', '/admin/tenants', { name: 'while it is away' }],
  ['GET', '/admin/tenants/{tenant}'],
  ['PATCH', '/admin/tenants/{tenant}', { series_limit: 5 }],
  ['DELETE', '/admin/tenants/{tenant}'],
  ['GET', '/admin/tenants/{tenant}/keys'],
  ['POST', '/admin/tenants/{tenant}/keys', {}],
  ['GET', '/admin/dead-letters'],
  ['POST', '/admin/dead-letters/1/retry'],
]

function call([method, template, body]: Call, bindings = env): Promise<Response> {
  const path = template.replace(/\{(\w+)\}/, (_, name: keyof typeof ids) => ids[name])
  const key = path.startsWith('/admin') ? env.ADMIN_TOKEN : tenant.key
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  const init = { method, headers, ...(body && { body: JSON.stringify(body) }) }
  const context = createExecutionContext()
  return Promise.resolve(worker.fetch(new Request(`http://edgepulse.test${path}`, init), bindings, context))
}

describe('while Postgres is away', () => {
  const refusing = `away_${crypto.randomUUID().replaceAll('-', '')}`

  beforeAll(async () => {
    await sql.query(`create database ${refusing} allow_connections false`)
    return async () => {
      await sql.query(`drop database ${refusing}`)
    }
  })

  it.each([...READS, ...WRITES, ...ADMIN])(
    '%s %s is 503 when nobody answers at its address',
    async (...of) => {
      await expectUnavailable(await call(of, { ...env, NEON_PROXY_URL: 'http://127.0.0.1:1/sql' }))
    },
  )

  it.each([...READS, ...WRITES, ...ADMIN])('%s %s is 503 when it lets nobody in', async (...of) => {
    const url = new URL(env.DATABASE_URL)
    url.pathname = refusing
    await expectUnavailable(await call(of, { ...env, DATABASE_URL: url.href }))
  })

  it('takes batches, tells of them as ever, and how many wait', async () => {
    const away = { ...env, NEON_PROXY_URL: 'http://127.0.0.1:1/sql' }
    const now = Date.now()
    const batch = { batch_id: 'meanwhile', datapoints: [{ device: 'd', metric: 'm', ts: now, value: 1 }] }
    expect((await call(['POST', '/v1/ingest', batch], away)).status).toBe(202)
    expect((await call(['GET', '/v1/batches/meanwhile'], away)).status).toBe(200)
    expect((await call(['GET', '/v1/health'], away)).status).toBe(200)
    const status = await (await call(['GET', '/v1/status'], away)).json()
    expect(status).toMatchObject({
      ...{ batches_pending: expect.any(Number), open_windows: expect.any(Number), series_used: 2 },
      ...{ batches_failed: null, last_window_end: null, last_scored_window_end: null },
      warnings: [{ code: 'database_unavailable' }],
    })
    const after = await (await call(['GET', '/v1/status'])).json() // the driver's address is the isolate's: back to ours
    expect(after).toMatchObject({ batches_failed: 0, warnings: [] })
  })
})

type Fault = [what: string, inject: () => void]

const fail =
  (error = 'away') =>
  async (): Promise<never> => {
    throw new Error(error)
  }
const archive = () => Object.getPrototypeOf(env.ARCHIVE)
const control = TenantControl.prototype
const shard = TenantShard.prototype

describe('while an object or the archive is away', () => {
  it.each([...READS, ...WRITES, ['GET', '/v1/status'], ['GET', '/v1/batches/known']] satisfies Call[])(
    '%s %s is 503 when the tenant’s object fails',
    async (...of) => {
      vi.spyOn(control, 'authorize').mockImplementation(() => {
        throw new Error('overloaded')
      })
      await expectUnavailable(await call(of))
    },
  )

  it.each<[path: string, ...fault: Fault]>([
    ['/v1/batches/known', 'the archive', () => vi.spyOn(archive(), 'head').mockImplementation(fail())],
    ['/v1/batches/known', 'the shard', () => vi.spyOn(shard, 'batch').mockImplementation(() => boom())],
    ['/v1/usage', 'the tenant’s object', () => vi.spyOn(control, 'usage').mockImplementation(fail())],
    ['/v1/usage', 'a shard', () => vi.spyOn(shard, 'usage').mockImplementation(() => boom())],
    ['/v1/status', 'the tenant’s object', () => vi.spyOn(control, 'status').mockImplementation(fail())],
    ['/v1/status', 'a shard', () => vi.spyOn(shard, 'status').mockImplementation(() => boom())],
  ])('GET %s is 503 when %s fails', async (path, _, inject) => {
    inject()
    await expectUnavailable(await call(['GET', path]))
    vi.restoreAllMocks()
    expect((await call(['GET', path])).status).toBe(200)
  })

  it.each<Fault>([
    [
      'the archive is away',
      () => vi.spyOn(archive(), 'put').mockImplementation(fail('put: Network connection lost.')),
    ],
    [
      'the archive takes no more writes of this key',
      () =>
        vi
          .spyOn(archive(), 'put')
          .mockImplementation(fail('put: Reduce your concurrent request rate for the same object. (10058)')),
    ],
    [
      'the tenant’s object tells no plan',
      () => vi.spyOn(control, 'describe').mockImplementation(() => boom()),
    ],
    ['the shard fails', () => vi.spyOn(shard, 'admit').mockImplementation(fail())],
    [
      'the shard gets no configuration',
      () => vi.spyOn(control, 'registerShard').mockImplementation(() => boom()),
    ],
    [
      'series cannot be registered',
      () => vi.spyOn(control, 'registerSeries').mockImplementation(() => boom()),
    ],
    [
      'the rate limit cannot be asked',
      () => vi.spyOn(control, 'takeTokens').mockImplementation(() => boom()),
    ],
  ])('a batch is 503 when %s, and taken once afterwards', async (_, inject) => {
    const rate_limit = { datapoints_per_second: 1000, batches_per_second: 1000 }
    const fresh = await createTenant({ plan: { shards: 2, rate_limit } })
    const body = seriesBatch('b')
    inject()
    await expectUnavailable(await fresh.ingest(body))
    vi.restoreAllMocks()
    expect((await fresh.ingest(body)).status).toBe(202)
    const { total } = await (await fresh.get('/v1/usage')).json<{ total: object }>()
    expect(total).toMatchObject({ batches: 1, datapoints: 10, duplicates: 0 })
  })

  it('a batch is 503 when the shard cannot write, and taken once afterwards', async () => {
    const fresh = await createTenant()
    await fresh.ingest(seriesBatch('first'))
    const stub = env.TENANT_SHARD.getByName(`${fresh.id}/0`)
    await runInDurableObject(stub, (_, { storage }) => {
      storage.sql.exec(
        `create trigger broken before insert on outbox begin select raise(abort, 'disk full'); end`,
      )
    })
    const body = seriesBatch('b')
    await expectUnavailable(await fresh.ingest(body))
    await runInDurableObject(stub, (_, { storage }) => {
      storage.sql.exec('drop trigger broken')
    })
    expect((await fresh.ingest(body)).status).toBe(202)
    const { total } = await (await fresh.get('/v1/usage')).json<{ total: object }>()
    expect(total).toMatchObject({ batches: 2, datapoints: 20 })
  })

  it.each<Fault>([
    ['the shard', () => vi.spyOn(shard, 'contest').mockImplementation(fail())],
    ['the archive', () => vi.spyOn(archive(), 'head').mockImplementation(fail())],
  ])('other content under a known batch_id is 503 when %s is away, and 409 afterwards', async (_, inject) => {
    inject()
    await expectUnavailable(await tenant.ingest(seriesBatch('known', 3)))
    vi.restoreAllMocks()
    expect((await tenant.ingest(seriesBatch('known', 3))).status).toBe(409)
  })

  it('a faulty batch is 503, and not refused, while nobody can tell whether its key is in force', async () => {
    vi.spyOn(control, 'authorize').mockImplementation(() => boom())
    await expectUnavailable(await tenant.ingest(undefined, { raw: '{' }))
    vi.restoreAllMocks()
    expect((await tenant.ingest(undefined, { raw: '{' })).status).toBe(400)
  })

  it('a batch is taken though the queue is away', async () => {
    vi.spyOn(Object.getPrototypeOf(env.BATCHES), 'send').mockImplementation(fail())
    expect((await tenant.ingest(seriesBatch('unannounced'))).status).toBe(202)
  })
})

describe('what never answers', () => {
  const never = () => new Promise<never>(() => {})

  it('is given up: batches, reads, and those that wait for several things', async () => {
    vi.spyOn(control, 'usage').mockImplementation(never)
    vi.spyOn(control, 'status').mockImplementation(never)
    vi.spyOn(shard, 'admit').mockImplementation(never)
    vi.spyOn(shard, 'contest').mockImplementation(never)
    const put = archive().put
    vi.spyOn(archive(), 'put').mockImplementation(function (
      this: R2Bucket,
      key: unknown,
      ...rest: unknown[]
    ) {
      return String(key).includes('unarchived') ? never() : put.call(this, key, ...rest)
    })
    vi.spyOn(Object.getPrototypeOf(env.BATCHES), 'send').mockImplementation(never)
    const answers = await Promise.all([
      tenant.get('/v1/usage'),
      tenant.get('/v1/status'),
      tenant.ingest(seriesBatch('unadmitted')),
      tenant.ingest(seriesBatch('unarchived')),
      tenant.ingest(seriesBatch('known', 3)),
    ])
    for (const answer of answers) await expectUnavailable(answer)
  })
})

describe('the rate limit', () => {
  it.each([
    ['/v1/ingest', 1],
    ['/v1/ingest', 2],
    ['/api/v2/write', 1],
  ])(
    'tells at %s, over %i shards, in whole seconds how long the same batch has to wait',
    async (path, shards) => {
      const rate_limit = { datapoints_per_second: 10, batches_per_second: 100 }
      const limited = await createTenant({ plan: { shards, rate_limit } })
      // 20 may come at once; 110 leave a debt of 90, and one more datapoint must wait until there is a token again.
      expect((await limited.ingest(seriesBatch('debt', 110))).status).toBe(202)
      const body =
        path === '/v1/ingest' ? JSON.stringify(seriesBatch('next', 1)) : `t,device=d v=1 ${Date.now()}000000`
      const type = path === '/v1/ingest' ? 'application/json' : 'text/plain'
      const headers = { authorization: `Token ${limited.key}`, 'content-type': type }
      const answer = await request(path, { method: 'POST', headers, body })
      expect(answer.status).toBe(429)
      const seconds = answer.headers.get('retry-after') ?? ''
      expect(seconds).toMatch(/^\d+$/)
      expect(Number(seconds)).toBeGreaterThanOrEqual(8)
      expect(Number(seconds)).toBeLessThanOrEqual(10) // (90 + 1) / 10 s, less what has passed since
    },
  )
})

function boom(): never {
  throw new Error('away')
}
