import { beforeAll, describe, expect, it, vi } from 'vitest'
import { sql } from '../testing/owner-sql.ts'
import { list } from '../testing/reads.ts'
import { createTenant, request, seriesBatch, type TestTenant } from '../testing/tenant.ts'

const MODEL = crypto.randomUUID()

let owner: TestTenant
let stranger: TestTenant
let ids: { device: string; metric: string; rule: string; webhook: string; delivery: string }

async function idOf(tenant: TestTenant, path: string, body: unknown): Promise<string> {
  const answer = await tenant.send('POST', path, body)
  expect(answer.status, await answer.clone().text()).toBeLessThan(300)
  return (await answer.json<{ id: string }>()).id
}

/** One tenant with a row of everything that can be read, and another that must see none of it. */
beforeAll(async () => {
  owner = await createTenant()
  stranger = await createTenant()
  await owner.ingest(seriesBatch('b-1', 10))
  await vi.waitFor(async () => expect((await list(owner, '/v1/metrics')).data).toHaveLength(1), {
    timeout: 20_000,
  })
  const [metric] = (await list(owner, '/v1/metrics')).data
  const [device, metricId] = [String(metric?.['device_id']), String(metric?.['id'])]
  const rule = await idOf(owner, '/v1/alert-rules', { name: 'hot', metric_id: metricId })
  const webhook = await idOf(owner, '/v1/webhooks', { url: 'https://hooks.example.com/x' })
  const delivery = await idOf(owner, `/v1/webhooks/${webhook}/test`, {})
  ids = { device, metric: metricId, rule, webhook, delivery }
  const end = new Date(Math.floor(Date.now() / 300_000) * 300_000 - 300_000)
  const start = new Date(end.getTime() - 300_000)
  await sql.transaction([
    sql`insert into anomaly_scores (tenant_id, metric_id, window_start, window_end, score, onset_score, state, reasons,
          expected_low, expected_high, model_id, scored_at)
        values (${owner.id}, ${metricId}, ${start}, ${end}, 1.5, 1.5, 'ready', '["far above"]', 1, 2, ${MODEL}, now())`,
    sql`insert into alert_events (tenant_id, id, rule_id, metric_id, window_end, score, threshold, state, opened_at)
        values (${owner.id}, ${crypto.randomUUID()}, ${rule}, ${metricId}, ${end}, 1.5, 1, 'open', ${end})`,
    sql`insert into window_aggregates (tenant_id, metric_id, window_start, shard, part, count, mean, m2, min, max, median,
          mad, first_ts, last_ts, sketch)
        values (${owner.id}, ${metricId}, ${start}, 0, 1000, 1, 5, 0, 5, 5, 5, 0, ${start}, ${start}, '')`,
  ])
})

describe('with another tenant’s key and ids', () => {
  it.each([
    ['/v1/devices'],
    ['/v1/metrics'],
    ['/v1/metrics?device_id={device}'],
    ['/v1/anomalies'],
    ['/v1/anomalies?metric_id={metric}'],
    ['/v1/usage'],
    ['/v1/alerts'],
    ['/v1/alerts?metric_id={metric}'],
    ['/v1/alert-rules'],
    ['/v1/webhooks'],
  ])('GET %s shows the owner its rows and the stranger none', async (template) => {
    const path = fill(template)
    expect((await list(owner, path)).data.length).toBeGreaterThan(0)
    expect((await list(stranger, path)).data).toEqual([])
  })

  it.each([
    ['/v1/batches/b-1'],
    ['/v1/metrics/{metric}/datapoints'],
    ['/v1/metrics/{metric}/windows'],
    ['/v1/alert-rules/{rule}'],
    ['/v1/webhooks/{webhook}'],
    ['/v1/webhooks/{webhook}/deliveries'],
  ])('GET %s answers the owner 200 and the stranger 404', async (template) => {
    const path = fill(template)
    expect((await owner.get(path)).status).toBe(200)
    const answer = await stranger.get(path)
    expect(answer.status).toBe(404)
    expect(await answer.json()).toMatchObject({ code: 'not_found' })
  })

  it.each([
    ['PATCH', '/v1/alert-rules/{rule}'],
    ['DELETE', '/v1/alert-rules/{rule}'],
    ['PATCH', '/v1/webhooks/{webhook}'],
    ['DELETE', '/v1/webhooks/{webhook}'],
    ['POST', '/v1/webhooks/{webhook}/rotate-secret'],
    ['POST', '/v1/webhooks/{webhook}/test'],
    ['POST', '/v1/deliveries/{delivery}/retry'],
  ])('%s %s changes nothing of the owner’s', async (method, template) => {
    expect((await stranger.send(method, fill(template), {})).status).toBe(404)
    expect((await owner.get(fill('/v1/webhooks/{webhook}'))).status).toBe(200)
    expect((await owner.get(fill('/v1/alert-rules/{rule}'))).status).toBe(200)
  })

  it('refuses a rule on the owner’s metric', async () => {
    const answer = await stranger.send('POST', '/v1/alert-rules', { name: 'spy', metric_id: ids.metric })
    expect(answer.status).toBe(400)
  })
})

describe('every tenant route', () => {
  it.each([
    ['GET', '/v1/devices'],
    ['GET', '/v1/metrics'],
    ['GET', '/v1/metrics/{metric}/datapoints'],
    ['GET', '/v1/metrics/{metric}/windows'],
    ['GET', '/v1/anomalies'],
    ['GET', '/v1/usage'],
    ['GET', '/v1/batches/b-1'],
    ['GET', '/v1/alerts'],
    ['GET', '/v1/alert-rules'],
    ['POST', '/v1/alert-rules'],
    ['GET', '/v1/webhooks'],
    ['POST', '/v1/webhooks'],
    ['POST', '/v1/deliveries/{delivery}/retry'],
    ['GET', '/admin/tenants'],
  ])('%s %s answers 401 without a key and with a wrong one', async (method, template) => {
    const path = fill(template)
    const bare = await request(path, { method })
    expect([bare.status, (await bare.json<{ code: string }>()).code]).toEqual([401, 'missing_api_key'])
    const wrong = await request(path, { method, headers: { authorization: 'Bearer epk_wrong' } })
    expect([wrong.status, (await wrong.json<{ code: string }>()).code]).toEqual([401, 'invalid_api_key'])
  })

  it('keeps the admin API from a tenant’s key', async () => {
    const answer = await request('/admin/tenants', { headers: { authorization: `Bearer ${owner.key}` } })
    expect(answer.status).toBe(401)
  })

  it.each([
    ['/v1/metrics/nonsense/windows', 404],
    [`/v1/metrics/${crypto.randomUUID()}/datapoints`, 404],
    ['/v1/batches/no-such-batch', 404],
    ['/v1/batches/%20', 404],
    ['/v1/anomalies?metric_id=nonsense', 200],
    ['/v1/metrics?device_id=nonsense', 200],
  ])('GET %s with an id that is nobody’s answers %i', async (path, status) => {
    expect((await owner.get(path)).status).toBe(status)
  })
})

describe('answers', () => {
  it('show devices, metrics and anomalies as the contract names them', async () => {
    expect((await list(owner, '/v1/devices')).data[0]).toEqual({
      id: ids.device,
      external_id: 'pump-7',
      created_at: expect.stringMatching(/Z$/),
      last_seen_at: expect.stringMatching(/\.\d{3}Z$/),
      metric_count: 1,
      cadence_seconds: null,
      silent_since: null,
    })
    expect((await list(owner, '/v1/metrics')).data[0]).toEqual({
      id: ids.metric,
      device_id: ids.device,
      device: 'pump-7',
      name: 'temperature',
      unit: 'C',
      unit_changed_at: null,
      last_ts: expect.stringMatching(/\.\d{3}Z$/),
      last_score: 1.5,
      state: 'ready',
      ready_at: null,
    })
    expect((await list(owner, `/v1/anomalies?metric_id=${ids.metric}&min_score=1`)).data[0]).toEqual({
      metric_id: ids.metric,
      window_start: expect.stringMatching(/Z$/),
      window_end: expect.stringMatching(/Z$/),
      score: 1.5,
      onset_score: 1.5,
      state: 'ready',
      reasons: ['far above'],
      expected: { low: 1, high: 2 },
      ready_at: null,
      model_id: MODEL,
      scored_at: expect.stringMatching(/Z$/),
    })
  })

  it('answers health without a key', async () => {
    const answer = await request('/v1/health')
    expect(await answer.json()).toEqual({
      status: 'ok',
      time: expect.stringMatching(/Z$/),
      version: expect.any(String),
    })
  })
})

function fill(template: string): string {
  return template.replace(/\{(\w+)\}/g, (_, name: keyof typeof ids) => ids[name])
}
