import { env } from 'cloudflare:workers'
import { neonConfig } from '@neondatabase/serverless'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { connect } from '../../durable-objects/connect-database.ts'
import { seededRandom } from '../../telemetry/random.ts'
import { Sketch } from '../../telemetry/sketch.ts'
import { createTenant, request, seriesBatch, type TestTenant } from '../testing/tenant.ts'

const sql = connect(env)
const MODEL = crypto.randomUUID()
const cursor = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

interface Page {
  data: Record<string, unknown>[]
  next_cursor: string | null
}

let owner: TestTenant
let stranger: TestTenant
let ids: { device: string; metric: string; rule: string; webhook: string; delivery: string }

const list = async (tenant: TestTenant, path: string) => (await tenant.get(path)).json<Page>()

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

describe('parameters', () => {
  it.each([
    ['/v1/devices?limit=0', 'limit'],
    ['/v1/devices?limit=1001', 'limit'],
    ['/v1/devices?cursor=rubbish', 'cursor'],
    ['/v1/anomalies?from=yesterday', 'from'],
    ['/v1/anomalies?from=2026-01-01&to=2026-04-04', 'from'],
    ['/v1/anomalies?from=2026-02-01&to=2026-01-01', 'from'],
    ['/v1/anomalies?min_score=high', 'min_score'],
    ['/v1/usage?from=2026-02-30', 'from'],
    ['/v1/usage?from=2026-01-01&to=2026-06-01', 'from'],
    ['/v1/usage?from=2026-01-01&to=2026-04-04', 'from'],
    ['/v1/anomalies?from=1767225600000000', 'from'],
    ['/v1/anomalies?from=-99999999999999', 'from'],
    ['/v1/alerts?to=-62135596800001', 'to'],
    ['/v1/metrics/{metric}/windows?to=253402300800000', 'to'],
    ['/v1/anomalies?from=0000-12-31T00:00:00Z&to=0001-01-02', 'from'],
    [`/v1/devices?cursor=${cursor('a\u0000b')}`, 'cursor'],
    [`/v1/metrics?cursor=${cursor(['a', 'b\u0000'])}`, 'cursor'],
    [`/v1/devices?cursor=${cursor('\ud800')}`, 'cursor'],
    [`/v1/metrics/{metric}/datapoints?cursor=${cursor(8e15)}`, 'cursor'],
    [`/v1/metrics/{metric}/windows?cursor=${cursor(-8e15)}`, 'cursor'],
    [`/v1/alerts?cursor=${cursor([0.5, MODEL])}`, 'cursor'],
  ])('GET %s answers 400 and names "%s"', async (template, name) => {
    const answer = await owner.get(fill(template))
    const body = await answer.json<{ code: string; errors: { path: string }[] }>()
    expect([answer.status, body.code, body.errors[0]?.path]).toEqual([400, 'invalid_parameter', name])
  })

  it.each([
    ['/v1/usage?from=2026-01-01&to=2026-04-03'],
    ['/v1/anomalies?from=2026-01-01&to=2026-04-03'],
    ['/v1/anomalies?to=0001-01-01T00:00:00Z'],
    ['/v1/anomalies?from=9999-12-31&to=9999-12-31T23:59:59.999Z'],
    [`/v1/metrics/{metric}/datapoints?cursor=${cursor(Date.parse('9999-12-31T23:59:59.999Z'))}`],
  ])('GET %s, at the very edge, answers 200', async (template) => {
    expect((await owner.get(fill(template))).status).toBe(200)
  })

  it.each([
    ['/v1/alert-rules', { name: 'a\u0000b' }, 'name'],
    ['/v1/alert-rules', { name: '\ud800' }, 'name'],
    ['/v1/alert-rules', { name: '' }, 'name'],
  ])('POST %s with %j answers 400 and names "%s"', async (path, body, name) => {
    const answer = await owner.send('POST', path, body)
    const problem = await answer.json<{ code: string; errors: { path: string }[] }>()
    expect([answer.status, problem.code, problem.errors[0]?.path]).toEqual([400, 'validation_failed', name])
  })

  it('answers 413 to a body that no rule has', async () => {
    const answer = await owner.send('POST', '/v1/alert-rules', { name: 'x', more: 'x'.repeat(64 * 1024) })
    expect([answer.status, (await answer.json<{ code: string }>()).code]).toEqual([413, 'payload_too_large'])
  })

  it('keeps a webhook’s URL as it will be called', async () => {
    const url = 'https://hooks.example.com/a\u0000b'
    const answer = await owner.send('POST', '/v1/webhooks', { url, enabled: false })
    expect(answer.status).toBe(201)
    expect(await answer.json()).toMatchObject({ url: 'https://hooks.example.com/a%00b' })
  })

  it('pages through a list without gaps or repeats', async () => {
    const now = Date.now()
    const points = Array.from({ length: 25 }, (_, i) => [now - 60_000 + i, i])
    const tenant = await createTenant()
    await tenant.ingest({ batch_id: 'p', series: [{ device: 'd', metric: 'm', points }] })
    await vi.waitFor(async () => expect((await list(tenant, '/v1/metrics')).data).toHaveLength(1), {
      timeout: 20_000,
    })
    const id = String((await list(tenant, '/v1/metrics')).data[0]?.['id'])
    const seen: unknown[] = []
    let next: string | null = ''
    while (next !== null) {
      const page: Page = await list(
        tenant,
        `/v1/metrics/${id}/datapoints?limit=10${next && `&cursor=${next}`}`,
      )
      seen.push(...page.data)
      next = page.next_cursor
    }
    expect(seen).toEqual(points.map(([ts, value]) => [new Date(Number(ts)).toISOString(), value]))
  })
})

describe('GET windows', () => {
  const start = Math.floor(Date.now() / 300_000) * 300_000 - 10 * 300_000

  /** `sketchBytes`: that many bytes which are no sketch, for one that must not be read. */
  async function insertPart(window: number, part: number, values: number[], sketchBytes = 0) {
    const sketch = new Sketch(seededRandom(1))
    for (const value of values) sketch.add(value)
    const hex = sketchBytes > 0 ? '' : Buffer.from(sketch.toBytes()).toString('hex')
    const at = new Date(start + window * 300_000)
    await sql`insert into window_aggregates (tenant_id, metric_id, window_start, shard, part, count, mean, m2, min, max,
        median, mad, first_ts, last_ts, sketch)
      values (${owner.id}, ${ids.metric}, ${at}, 9, ${part}, ${values.length}, 2, 0, 1, 9, ${values[0]}, 0, ${at}, ${at},
        decode(${hex} || repeat('00', ${sketchBytes}), 'hex'))`
  }

  it('merges the parts of a window, and reads sketches of no other', async () => {
    await insertPart(0, 1, [1], 500_000)
    await insertPart(1, 1, [1, 2])
    await insertPart(1, 2, [3])
    await insertPart(2, 1, [7], 500_000)
    let received = 0
    neonConfig.fetchFunction = async (url: string, init: RequestInit) => {
      const answer = await (await fetch(url, init)).text()
      received += answer.length
      return new Response(answer)
    }
    try {
      const range = `from=${start}&to=${start + 3 * 300_000}`
      const { data } = await list(owner, `/v1/metrics/${ids.metric}/windows?${range}`)
      expect(data.map(({ count, median }) => [count, median])).toEqual([
        [1, 1],
        [3, 2],
        [1, 7],
      ])
      expect(received).toBeLessThan(20_000)
      const first: Page = await list(owner, `/v1/metrics/${ids.metric}/windows?${range}&limit=2`)
      const rest = await list(owner, `/v1/metrics/${ids.metric}/windows?${range}&cursor=${first.next_cursor}`)
      expect([...first.data, ...rest.data]).toEqual(data)
    } finally {
      neonConfig.fetchFunction = undefined
    }
  })

  it('ends a page before a window whose sketches are too many for it', async () => {
    await insertPart(3, 1, [5])
    await insertPart(4, 1, [1], 4_500_000)
    await insertPart(4, 2, [1], 4_500_000)
    const range = `from=${start + 3 * 300_000}&to=${start + 6 * 300_000}`
    const page = await list(owner, `/v1/metrics/${ids.metric}/windows?${range}`)
    expect(page.data.map(({ median }) => median)).toEqual([5])
    expect(page.next_cursor).not.toBeNull()
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
    })
    expect((await list(owner, '/v1/metrics')).data[0]).toEqual({
      id: ids.metric,
      device_id: ids.device,
      device: 'pump-7',
      name: 'temperature',
      unit: 'C',
      last_ts: expect.stringMatching(/\.\d{3}Z$/),
      last_score: 1.5,
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
