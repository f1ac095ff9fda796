import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import { ENCODINGS, post, statusOf } from '../testing/otlp.ts'
import { gaugesOf } from '../testing/otlp-gauges.ts'
import { admin, createKey, createTenant, request } from '../testing/tenant.ts'

describe.each(Object.entries(ENCODINGS))(
  'POST /otlp/v1/metrics in %s, of what it does not take',
  (_, encoding) => {
    const bodyOf = (ts = Date.now(), points = 1) =>
      encoding.serializer.serializeRequest(
        gaugesOf('d', [{ name: 'm', points: Array.from({ length: points }, (_each, i) => [ts + i, i]) }]),
      )!

    async function expectStatus(answer: Response, status: number, code: number) {
      expect([answer.status, answer.headers.get('content-type')]).toEqual([status, encoding.type])
      const told = await statusOf(answer)
      expect(told.code).toBe(code)
      return told
    }

    it('answers 400 to what cannot be decoded', async () => {
      const tenant = await createTenant()
      const half = bodyOf().subarray(0, 20)
      const { message } = await expectStatus(await post(tenant, encoding, half), 400, 3)
      expect(message).toContain(encoding === ENCODINGS.JSON ? 'not valid JSON' : 'not valid protobuf')
      const unzipped = await post(tenant, encoding, bodyOf(), { 'content-encoding': 'gzip' })
      await expectStatus(unzipped, 400, 3)
    })

    it('answers 400 where nothing can be stored, with the reasons, and leaves the id free', async () => {
      const tenant = await createTenant()
      const { message, fields } = await expectStatus(await post(tenant, encoding, bodyOf(1, 2)), 400, 3)
      const at = 'resourceMetrics[0].scopeMetrics[0].metrics[0].gauge.dataPoints'
      expect(message).toContain(`The first: ${at}[0] is older than the retention`)
      expect(fields).toEqual([`${at}[0]`, `${at}[1]`])
      expect((await env.ARCHIVE.list({ prefix: `raw/${tenant.id}/` })).objects).toEqual([])
    })

    it('answers 413 to too many datapoints or bytes, 415 to what it cannot inflate', async () => {
      const tenant = await createTenant()
      await expectStatus(await post(tenant, encoding, bodyOf(1, 50_001)), 413, 8)
      await expectStatus(await post(tenant, encoding, new Uint8Array(8 * 1024 * 1024 + 1)), 413, 8)
      const brotli = await post(tenant, encoding, bodyOf(), { 'content-encoding': 'br' })
      await expectStatus(brotli, 415, 3)
    })

    it('answers 401 and 403 as /v1/ingest does, before it tells what is wrong with the batch', async () => {
      const tenant = await createTenant()
      const headers = { 'content-type': encoding.type }
      const keyless = await request('/otlp/v1/metrics', { method: 'POST', headers, body: bodyOf() })
      await expectStatus(keyless, 401, 16)
      await expectStatus(await post({ key: 'epk_nonsense' }, encoding, bodyOf()), 401, 16)
      const reader = await createKey(tenant.id, ['read'])
      await expectStatus(await post(reader, encoding, bodyOf()), 403, 7)
      await expectStatus(await post(reader, encoding, 'nonsense'), 403, 7)
      await expectStatus(await post(reader, encoding, encoding === ENCODINGS.JSON ? '{}' : ''), 403, 7)
      await admin('DELETE', `/tenants/${tenant.id}/keys/${tenant.keyId}`)
      await expectStatus(await post(tenant, encoding, bodyOf()), 401, 16)
      await expectStatus(await post(tenant, encoding, 'nonsense'), 401, 16)
      await expectStatus(await post(tenant, encoding, encoding === ENCODINGS.JSON ? '{}' : ''), 401, 16)
    })

    it('answers 429 beyond the plan and 503 while the archive is away, with Retry-After in whole seconds', async () => {
      const plan = { rate_limit: { datapoints_per_second: 1, batches_per_second: 1 } }
      const tenant = await createTenant({ plan })
      const bodies = Array.from({ length: 5 }, (_each, i) => bodyOf(Date.now() - i * 1000))
      const answers = await Promise.all(bodies.map((body) => post(tenant, encoding, body)))
      const limited = answers.find(({ status }) => status === 429)
      expect(limited?.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
      await expectStatus(limited!, 429, 8)
      const put = vi
        .spyOn(Object.getPrototypeOf(env.ARCHIVE), 'put')
        .mockRejectedValue(new Error('R2 is away'))
      try {
        const answer = await post(await createTenant(), encoding, bodyOf())
        expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
        await expectStatus(answer, 503, 14)
      } finally {
        put.mockRestore()
      }
    })
  },
)

describe('POST /otlp/v1/metrics', () => {
  it('answers 415 to another type of content, in JSON, and says which it takes', async () => {
    const tenant = await createTenant()
    for (const type of ['text/plain', 'application/octet-stream']) {
      const answer = await post(tenant, { type }, '{}')
      expect([answer.status, answer.headers.get('content-type')]).toEqual([415, 'application/json'])
      expect((await statusOf(answer)).message).toContain('application/x-protobuf or application/json')
    }
  })

  it('takes the key in X-API-Key as well', async () => {
    const tenant = await createTenant()
    const headers = { 'x-api-key': tenant.key, 'content-type': 'application/json' }
    expect((await request('/otlp/v1/metrics', { method: 'POST', headers, body: '{}' })).status).toBe(200)
  })

  it('answers 405 to another method and 404 to other signals', async () => {
    expect((await request('/otlp/v1/metrics')).status).toBe(405)
    expect((await request('/otlp/v1/traces', { method: 'POST' })).status).toBe(404)
  })
})
