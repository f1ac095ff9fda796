import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import { write } from '../testing/influx.ts'
import { admin, createKey, createTenant, request } from '../testing/tenant.ts'

async function expectError(answer: Response, status: number, code: string): Promise<string> {
  const body = await answer.json<{ code: string; message: string }>()
  expect({ status: answer.status, code: body.code }).toEqual({ status, code })
  expect(answer.headers.get('content-type')).toBe('application/json')
  return body.message
}

describe('POST /api/v2/write, of what it does not take', () => {
  it('answers 400 when nothing of it can be stored, with the first reason', async () => {
    const tenant = await createTenant()
    const message = await expectError(await write(tenant, '# nothing\nm t=1,s="x" 5'), 400, 'invalid')
    expect(message).toContain('The first: line 2, field 1 is older than')
    await expectError(await write(tenant, ''), 400, 'invalid')
    await expectError(await write(tenant, 'm t=1', { query: '?precision=h' }), 400, 'invalid')
    await expectError(await write(tenant, 'm t=1', { query: '?device_tag=' }), 400, 'invalid')
    const headers = { 'content-encoding': 'gzip' }
    await expectError(await write(tenant, 'm t=1', { headers }), 400, 'invalid')
  })

  it.each(['text/plain; charset=utf-8', 'application/x-www-form-urlencoded', ''])(
    'takes the content type "%s"',
    async (type) => {
      const tenant = await createTenant()
      const body = new TextEncoder().encode('m t=1') // without a type of its own
      const init = {
        method: 'POST',
        headers: { 'x-api-key': tenant.key, ...(type && { 'content-type': type }) },
      }
      expect((await request('/api/v2/write', { ...init, body })).status).toBe(204)
    },
  )

  it('answers 413 to too many datapoints or bytes, 415 to what it cannot read', async () => {
    const tenant = await createTenant()
    await expectError(await write(tenant, 'm t=1\n'.repeat(50_001)), 413, 'request too large')
    await expectError(await write(tenant, '#'.repeat(8 * 1024 * 1024 + 1)), 413, 'request too large')
    const json = { 'content-type': 'application/json' }
    await expectError(await write(tenant, '{}', { headers: json }), 415, 'unsupported media type')
    const brotli = { 'content-encoding': 'br' }
    await expectError(await write(tenant, 'm t=1', { headers: brotli }), 415, 'unsupported media type')
  })

  it('answers 401 and 403 as /v1/ingest does, before it tells what is wrong with the batch', async () => {
    const tenant = await createTenant()
    await expectError(await request('/api/v2/write', { method: 'POST', body: 'm t=1' }), 401, 'unauthorized')
    await expectError(await write({ key: 'epk_nonsense' }, 'm t=1'), 401, 'unauthorized')
    const reader = await createKey(tenant.id, ['read'])
    await expectError(await write(reader, 'm t=1'), 403, 'forbidden')
    await expectError(await write(reader, 'm t=1', { query: '?precision=h' }), 403, 'forbidden')
    await admin('DELETE', `/tenants/${tenant.id}/keys/${tenant.keyId}`)
    await expectError(await write(tenant, 'm t=1'), 401, 'unauthorized')
    await expectError(await write(tenant, 'nonsense'), 401, 'unauthorized')
  })

  it('answers 503 with Retry-After in whole seconds while the archive is away', async () => {
    const tenant = await createTenant()
    const put = vi.spyOn(Object.getPrototypeOf(env.ARCHIVE), 'put').mockRejectedValue(new Error('R2 is away'))
    try {
      const answer = await write(tenant, 'm t=1')
      await expectError(answer, 503, 'unavailable')
      expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
    } finally {
      put.mockRestore()
    }
  })
})

describe('what clients probe', () => {
  it('answers /ping with 204 and /health with "pass", without a key', async () => {
    expect((await request('/ping')).status).toBe(204)
    expect((await request('/ping', { method: 'HEAD' })).status).toBe(204)
    const health = await request('/health')
    expect(await health.json()).toEqual({ name: 'edgepulse', message: 'ready', status: 'pass' })
  })

  it('answers 405 to another method', async () => {
    expect((await request('/api/v2/write')).status).toBe(405)
    expect((await request('/ping', { method: 'POST' })).status).toBe(405)
  })
})
