import { beforeAll, describe, expect, it, vi } from 'vitest'
import { sql } from '../testing/owner-sql.ts'
import { insertMetric, list, type Page } from '../testing/reads.ts'
import { createTenant, type TestTenant } from '../testing/tenant.ts'

const cursor = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

let owner: TestTenant
let metricId: string

beforeAll(async () => {
  owner = await createTenant()
  metricId = await insertMetric(sql, owner)
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
    [`/v1/alerts?cursor=${cursor([0.5, crypto.randomUUID()])}`, 'cursor'],
  ])('GET %s answers 400 and names "%s"', async (template, name) => {
    const answer = await owner.get(template.replace('{metric}', metricId))
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
    expect((await owner.get(template.replace('{metric}', metricId))).status).toBe(200)
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
