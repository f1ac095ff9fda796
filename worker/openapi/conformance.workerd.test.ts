import { env } from 'cloudflare:workers'
import { neonConfig } from '@neondatabase/serverless'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { SCOPES } from '../../durable-objects/tenant-config.ts'
import type { Call } from '../testing/conformance.ts'
import { consume } from '../testing/consume.ts'
import { write } from '../testing/influx.ts'
import { sql } from '../testing/owner-sql.ts'
import { insertMetric } from '../testing/reads.ts'
import {
  admin,
  conformance,
  createKey,
  createTenant,
  request,
  seriesBatch,
  type TestTenant,
} from '../testing/tenant.ts'

/*
 * Every answer that the API's description names is provoked here: `request` holds each against the description,
 * and the last test counts them. A call that is added to the API comes here by itself with all but its success.
 */
const routes = Object.entries(conformance.document.paths).flatMap(([path, calls]) =>
  Object.entries(calls).map(([method, call]) => ({
    method: method.toUpperCase(),
    path,
    call,
    id: call.operationId,
  })),
)

let owner: TestTenant
let metricId: string

/** Calls that answer this status, by what they need for it. */
const answering = (status: number, needs: (call: Call) => unknown = () => true) =>
  routes.filter(({ call }) => status in call.responses && needs(call))

const takes = (place: string) => (call: Call) => call.parameters.some((parameter) => parameter.in === place)
const takesJson = ({ requestBody }: Call) => requestBody?.content['application/json']
const isAdmin = ({ security = [] }: Call) => security.some((scheme) => 'adminToken' in scheme)

interface Sending {
  key?: string
  query?: string
  body?: string
}

/** A call with ids that are nobody's, and a body of the right type where there is one. */
function call(
  { method, path, call }: (typeof routes)[number],
  { key = owner.key, query = '', body }: Sending = {},
) {
  const type = Object.keys(call.requestBody?.content ?? {})[0]
  const nobody = () => (path.includes('dead-letters') ? '999999999' : crypto.randomUUID())
  return request(path.replace(/\{\w+\}/g, nobody) + query, {
    method,
    headers: {
      authorization: `Bearer ${isAdmin(call) ? env.ADMIN_TOKEN : key}`,
      ...(type && { 'content-type': type }),
    },
    ...(type && { body: body ?? validBodies[call.operationId] ?? '{}' }),
  })
}

const validBodies: Record<string, string> = {
  ingestBatch: JSON.stringify(seriesBatch('conforming')),
  writeLineProtocol: 'm,device=d t=1',
  createAlertRule: '{"name":"rule"}',
  previewAlertRule: '{"name":"rule"}',
  createWebhook: '{"url":"https://hooks.example.com"}',
  retryFailedDeliveries: '{"since":0}',
  createTenant: `{"name":"${crypto.randomUUID()}"}`,
}

beforeAll(async () => {
  owner = await createTenant()
  metricId = await insertMetric(sql, owner)
  const rule = await idOf(await owner.send('POST', '/v1/alert-rules', { name: 'any' }), 201)
  const end = new Date(Math.floor(Date.now() / 300_000) * 300_000 - 300_000)
  const start = new Date(end.getTime() - 300_000)
  await sql.transaction([
    sql`insert into datapoints (tenant_id, metric_id, ts, value) values (${owner.id}, ${metricId}, ${start}, 1.5)`,
    sql`insert into window_aggregates (tenant_id, metric_id, window_start, shard, part, count, mean, m2, min, max, median,
          mad, first_ts, last_ts, sketch)
        values (${owner.id}, ${metricId}, ${start}, 0, 1, 1, 5, 0, 5, 5, 5, 0, ${start}, ${start}, '')`,
    sql`insert into anomaly_scores (tenant_id, metric_id, window_start, window_end, score, onset_score, state, reasons,
          expected_low, expected_high, model_id, scored_at)
        values (${owner.id}, ${metricId}, ${start}, ${end}, 1.5, 0, 'ready', '["far above"]', 1, 2, ${crypto.randomUUID()}, now())`,
    sql`insert into alert_events (tenant_id, id, rule_id, metric_id, window_end, score, threshold, state, opened_at)
        values (${owner.id}, ${crypto.randomUUID()}, ${rule}, ${metricId}, ${end}, 1.5, 1, 'open', ${end})`,
  ])
})

async function idOf(answer: Response, status: number): Promise<string> {
  expect(answer.status).toBe(status)
  return (await answer.json<{ id: string }>()).id
}

describe('a success of', () => {
  it.each([
    ['/v1/health'],
    ['/ping'],
    ['/health'],
    ['/v1/docs'],
    ['/v1/openapi.json'],
    ['/v1/usage'],
    ['/v1/status'],
  ])('GET %s', async (path) => {
    expect((await owner.get(path)).status).toBeLessThan(300)
  })

  it.each([
    ['/v1/devices'],
    ['/v1/metrics'],
    ['/v1/metrics/{metric}/datapoints'],
    ['/v1/metrics/{metric}/windows'],
    ['/v1/anomalies'],
    ['/v1/anomalies/top'],
    ['/v1/alerts'],
  ])('GET %s, with rows', async (path) => {
    const answer = await owner.get(`${path.replace('{metric}', metricId)}?limit=1`)
    expect((await answer.json<{ data: unknown[] }>()).data).toHaveLength(1)
  })

  it('ingest, of a batch, a repeat and what became of it', async () => {
    const batch = seriesBatch('b-1')
    batch.series[0]?.points.push([Date.now() + 3_600_000, 1])
    expect((await owner.ingest(batch)).status).toBe(202)
    expect((await owner.ingest(batch)).status).toBe(200)
    expect((await owner.get('/v1/batches/b-1')).status).toBe(200)
    expect((await write(owner, 'm,device=d t=1')).status).toBe(204)
  })

  it('everything about alert rules', async () => {
    const id = await idOf(
      await owner.send('POST', '/v1/alert-rules', { name: 'hot', metric_id: metricId }),
      201,
    )
    const silence = { name: 'gone', kind: 'silence', intervals: 3, floor_seconds: 60 }
    await idOf(await owner.send('POST', '/v1/alert-rules', silence), 201)
    expect((await owner.get('/v1/alert-rules')).status).toBe(200)
    expect((await owner.get(`/v1/alert-rules/${id}`)).status).toBe(200)
    expect((await owner.send('PATCH', `/v1/alert-rules/${id}`, { threshold: 2 })).status).toBe(200)
    expect((await owner.send('POST', '/v1/alert-rules/preview', { name: 'hot' })).status).toBe(200)
    expect((await owner.send('DELETE', `/v1/alert-rules/${id}`)).status).toBe(204)
  })

  it('everything about an alert', async () => {
    const { data } = await (await owner.get('/v1/alerts')).json<{ data: { id: string }[] }>()
    const path = `/v1/alerts/${data[0]?.id}`
    expect((await owner.send('POST', `${path}/acknowledge`, { note: 'seen' })).status).toBe(200)
    expect((await owner.get(path)).status).toBe(200)
  })

  it('everything about webhooks', async () => {
    const id = await idOf(await owner.send('POST', '/v1/webhooks', { url: 'https://hooks.example.com' }), 201)
    expect((await owner.get('/v1/webhooks')).status).toBe(200)
    expect((await owner.get(`/v1/webhooks/${id}`)).status).toBe(200)
    expect((await owner.send('PATCH', `/v1/webhooks/${id}`, { enabled: false })).status).toBe(200)
    const rotations: number[] = []
    for (let i = 0; i < 6; i += 1)
      rotations.push((await owner.send('POST', `/v1/webhooks/${id}/rotate-secret`)).status)
    expect(rotations).toEqual([200, 200, 200, 200, 200, 429])
    const delivery = await idOf(await owner.send('POST', `/v1/webhooks/${id}/test`), 202)
    await sql`update webhook_deliveries set attempts =
      '[{"at":"2026-01-01T00:00:00.000Z","status":null,"duration_ms":3,"error":"refused"},
        {"at":"2026-01-01T00:00:00.000Z","status":500,"duration_ms":3,"error":"answered 500","response":"no"}]'
      where id = ${delivery}`
    expect((await owner.get(`/v1/webhooks/${id}/deliveries`)).status).toBe(200)
    expect((await owner.send('POST', `/v1/deliveries/${delivery}/retry`)).status).toBe(202)
    const retried = await owner.send('POST', `/v1/webhooks/${id}/retry-failed`, { since: 0 })
    expect(retried.status).toBe(202)
    expect((await owner.send('DELETE', `/v1/webhooks/${id}`)).status).toBe(204)
  })

  it('everything about tenants and keys', async () => {
    const { id, keyId } = await createTenant({
      plan: { rate_limit: { datapoints_per_second: 9, batches_per_second: 9 } },
    })
    const answers = [
      await admin('GET', '/tenants?limit=1000'),
      await admin('PATCH', `/tenants/${id}`, { shards: 2, rate_limit: null }),
      await admin('GET', `/tenants/${id}/keys`),
      await admin('POST', `/tenants/${id}/keys/${keyId}/rotate`, { overlap_seconds: 0 }),
      await admin('DELETE', `/tenants/${id}/keys/${keyId}`),
      await admin('POST', `/tenants/${id}/seal`),
      await admin('DELETE', `/tenants/${id}`),
      await admin('GET', `/tenants/${id}`),
    ]
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 201, 204, 200, 202, 200])
  })

  it('everything about dead letters', async () => {
    const { id: tenant } = await createTenant()
    await consume('edgepulse-dlq', [{ tenant_id: tenant, shard: 0, flush_id: 1 }])
    const listed = await admin('GET', `/dead-letters?tenant=${tenant}`)
    const { data } = await listed.json<{ data: { id: string }[] }>()
    expect((await admin('POST', `/dead-letters/${data[0]?.id}/retry`)).status).toBe(200)
  })
})

describe('without the right key', () => {
  it.each(answering(401))('$id answers 401', async (route) => {
    const bare = await request(route.path.replace(/\{\w+\}/g, 'any'), { method: route.method })
    expect(bare.status).toBe(401)
  })

  it.each(answering(403))('$id answers 403', async (route) => {
    const allowed = route.call.security?.flatMap((scheme) => Object.values(scheme).flat())
    const { key } = await createKey(
      owner.id,
      SCOPES.filter((scope) => !allowed?.includes(scope)),
    )
    expect((await call(route, { key })).status).toBe(403)
  })
})

describe('with what it cannot take', () => {
  it.each(answering(404, takes('path')))('$id answers 404', async (route) => {
    expect((await call(route)).status).toBe(404)
  })

  it.each(answering(400, takes('query')))('$id answers 400 to a parameter', async (route) => {
    const wrong = route.call.parameters.filter((each) => each.in === 'query').map(({ name }) => `${name}=%00`)
    expect((await call(route, { query: `?${wrong.join('&')}` })).status).toBe(400)
  })

  it.each(answering(400, takesJson))('$id answers 400 to a body', async (route) => {
    expect((await call(route, { body: '{' })).status).toBe(400)
    expect((await call(route, { body: '[5]' })).status).toBe(400)
  })

  it.each(answering(413))('$id answers 413', async (route) => {
    expect((await call(route, { body: ' '.repeat(8 * 1024 * 1024 + 1) })).status).toBe(413)
  })

  it.each(answering(415))('$id answers 415', async ({ path }) => {
    const headers = { 'x-api-key': owner.key, 'content-type': 'image/png' }
    expect((await request(path, { method: 'POST', headers, body: 'any' })).status).toBe(415)
  })

  it('answers 409 to a batch_id and a tenant’s name that are taken', async () => {
    expect((await owner.ingest(seriesBatch('b-1', 3))).status).toBe(409)
    expect((await admin('POST', '/tenants', JSON.parse(validBodies['createTenant']!))).status).toBe(201)
    expect((await admin('POST', '/tenants', JSON.parse(validBodies['createTenant']!))).status).toBe(409)
  })

  it('answers 304 to who has the document', async () => {
    const tag = (await request('/v1/openapi.json')).headers.get('etag') ?? ''
    expect((await request('/v1/openapi.json', { headers: { 'if-none-match': tag } })).status).toBe(304)
  })

  const ofThePlan = answering(429, (call) => !isAdmin(call)).filter(({ id }) => id !== 'rotateWebhookSecret')
  it.each(ofThePlan)('$id answers 429 beyond the plan', async (route) => {
    const { key } = await createTenant({
      plan: { rate_limit: { datapoints_per_second: 1, batches_per_second: 1 } },
    })
    const answers = await Promise.all(otherBodies(route.id, 10).map((body) => call(route, { key, body })))
    expect(answers.map(({ status }) => status)).toContain(429)
  })

  describe('an address that calls /admin too often', () => {
    const ADDRESS = { 'cf-connecting-ip': '203.0.113.7' }

    /** Calls until the address may not call any more; a minute that ends meanwhile begins anew. */
    async function exhaust(): Promise<number> {
      for (let calls = 0; ; calls += 1) {
        const { status } = await request('/admin/tenants', {
          headers: { ...ADDRESS, authorization: 'Bearer guess' },
        })
        if (status === 429) return calls
        expect(status).toBe(401)
      }
    }

    it('is heard at least a thousand times', async () => {
      expect(await exhaust()).toBeGreaterThanOrEqual(1_000)
    })

    it.each(answering(429, isAdmin))('$id answers 429', async ({ path, method }) => {
      await exhaust()
      const answer = await request(path.replace(/\{\w+\}/g, 'any'), {
        method,
        headers: { ...ADDRESS, authorization: `Bearer ${env.ADMIN_TOKEN}` },
      })
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([429, '60'])
    })
  })

  const otherBodies = (id: string, count: number) =>
    Array.from({ length: count }, (_, i) => {
      if (id === 'ingestBatch') return JSON.stringify(seriesBatch(`other-${i}`, 1))
      return id === 'exportOtlpMetrics' ? otlpBody(i) : `m,device=d t=${i}`
    })

  function otlpBody(asDouble: number): string {
    const metric = { name: 'm', gauge: { dataPoints: [{ asDouble }] } }
    return JSON.stringify({ resourceMetrics: [{ scopeMetrics: [{ metrics: [metric] }] }] })
  }
})

describe('while nothing behind it answers', () => {
  beforeAll(() => {
    const away = () => Promise.reject(new Error('away'))
    neonConfig.fetchFunction = away
    for (const namespace of [env.TENANT_CONTROL, env.TENANT_SHARD]) {
      vi.spyOn(Object.getPrototypeOf(namespace), 'getByName').mockReturnValue(
        new Proxy({}, { get: () => away }),
      )
    }
  })
  afterAll(() => {
    neonConfig.fetchFunction = undefined
    vi.restoreAllMocks()
  })

  it.each(answering(503))('$id answers 503', async (route) => {
    expect((await call(route)).status).toBe(503)
  })
})

it('leaves no answer that is described unseen', () => {
  const described = routes.flatMap(({ id, call }) =>
    Object.keys(call.responses).map((status) => `${id} ${status}`),
  )
  expect([...conformance.seen].sort()).toEqual(described.sort())
})
