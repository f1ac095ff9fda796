import { beforeAll, describe, expect, it } from 'vitest'
import { createTenant, request, type TestTenant } from './testing/tenant.ts'

/* What is where, and what is told of addresses at which there is nothing. */

let tenant: TestTenant
const UNKNOWN = crypto.randomUUID()

beforeAll(async () => {
  tenant = await createTenant()
})

const codeOf = async (answer: Response) => {
  expect(answer.headers.get('content-type')).toBe('application/problem+json')
  return (await answer.json<{ code: string }>()).code
}

describe('an address', () => {
  it.each([
    ...['/', '/v1', '/v1/', '/v1/nothing', '/v1/ingest/', '/v1/Ingest', '/v1//ingest', '/v1/ingest/x'],
    ...[
      '/v1/batches',
      '/v1/batches/',
      '/v1/devices/',
      '/v1/devices/x',
      `/v1/metrics/${UNKNOWN}`,
      '/v1/status/x',
    ],
    ...['/v1/metrics//windows', '/v2/ingest'],
  ])('%s at which there is nothing is not found, whatever the method', async (path) => {
    for (const method of ['GET', 'POST', 'DELETE']) {
      const answer = await request(path, { method, headers: { 'x-api-key': tenant.key } })
      expect([answer.status, answer.headers.get('allow')]).toEqual([404, null])
      expect(await codeOf(answer)).toBe('not_found')
    }
  })

  it.each([
    ['PUT', '/v1/ingest', 'POST'],
    ['GET', '/v1/ingest', 'POST'],
    ['OPTIONS', '/v1/ingest', 'POST'],
    ['POST', '/v1/status', 'GET, HEAD'],
    ['DELETE', '/v1/batches/b-1', 'GET, HEAD'],
    ['PUT', '/v1/webhooks', 'GET, HEAD, POST'],
    ['POST', `/v1/alert-rules/${UNKNOWN}`, 'GET, HEAD, PATCH, DELETE'],
    ['GET', '/v1/deliveries/x/retry', 'POST'],
  ])('does not take %s %s, and says that it takes %s', async (method, path, allowed) => {
    const answer = await request(path, { method })
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, allowed])
    expect(await codeOf(answer)).toBe('method_not_allowed')
  })

  it('answers HEAD wherever it answers GET', async () => {
    const answer = await request('/v1/health', { method: 'HEAD' })
    expect([answer.status, await answer.text()]).toEqual([200, ''])
  })
})

describe('an id that is nobody’s', () => {
  it.each([
    ...['/v1/batches/%20', '/v1/batches/%00', '/v1/batches/%E0%A4%A', '/v1/batches/a%2Fb', '/v1/batches/.a'],
    ...[`/v1/batches/${'a'.repeat(129)}`, '/v1/batches/unknown', '/v1/batches/sha256-', '/v1/batches/😀'],
    ...['x', '0', '%00', UNKNOWN, UNKNOWN.slice(1), `${UNKNOWN}0`, `{${UNKNOWN}}`].flatMap((id) => [
      `/v1/metrics/${id}/datapoints`,
      `/v1/metrics/${id}/windows`,
      `/v1/alert-rules/${id}`,
      `/v1/webhooks/${id}`,
      `/v1/webhooks/${id}/deliveries`,
    ]),
  ])('in %s is not found, like any other', async (path) => {
    const answer = await tenant.get(path)
    expect(answer.status).toBe(404)
    expect(await codeOf(answer)).toBe('not_found')
  })

  it.each([
    ...['x', '', '0', '%00', UNKNOWN].flatMap((id) => [
      `/v1/metrics?device_id=${id}`,
      `/v1/anomalies?metric_id=${id}`,
      `/v1/alerts?metric_id=${id}`,
    ]),
  ])('as the filter %s gives an empty list', async (path) => {
    const answer = await tenant.get(path)
    expect([answer.status, await answer.json()]).toEqual([200, { data: [], next_cursor: null }])
  })
})

describe('a key', () => {
  it.each([
    ['x-api-key', ''],
    ['authorization', 'Bearer '],
    ['authorization', 'bearer '],
    ['authorization', 'Token '],
    ['authorization', 'Bearer   '],
  ])('is taken in %s as "%s…"', async (header, scheme) => {
    const answer = await request('/v1/devices', { headers: { [header]: `${scheme}${tenant.key} ` } })
    expect(answer.status).toBe(200)
  })

  it.each([
    ['authorization', 'Basic ', 'missing_api_key'],
    ['authorization', '', 'missing_api_key'],
    ['x-api-key', 'Bearer ', 'invalid_api_key'],
    ['x-api-key', 'x', 'invalid_api_key'],
  ])('is not taken in %s as "%s…"', async (header, scheme, code) => {
    const answer = await request('/v1/devices', { headers: { [header]: `${scheme}${tenant.key}` } })
    expect([answer.status, await codeOf(answer)]).toEqual([401, code])
  })
})
