import { Hono } from 'hono'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createTenant, fetchWorker } from './testing/tenant.ts'
import { discardUnread } from './unread-body.ts'

const CHUNK_BYTES = 64 * 1024
const MIB = 1024 * 1024

/** A body that never ends, and how much of it was taken. */
function endlessBody() {
  const taken = { bytes: 0 }
  const pull = (controller: ReadableStreamDefaultController<Uint8Array>) => {
    controller.enqueue(new Uint8Array(CHUNK_BYTES))
    taken.bytes += CHUNK_BYTES
  }
  return { body: new ReadableStream<Uint8Array>({ pull }, { highWaterMark: 0 }), taken }
}

const json = { 'content-type': 'application/json' }
const text = { 'content-type': 'text/plain' }

describe('a body that headers suffice to refuse', () => {
  it.each([
    ['with a made-up key', '/v1/ingest', { ...json, 'x-api-key': `epk_${'A'.repeat(64)}` }, 401],
    ['of another content type', '/v1/ingest', { 'content-type': 'text/csv' }, 415],
    ['in another encoding', '/v1/ingest', { ...json, 'content-encoding': 'br' }, 415],
    ['larger than a batch may be', '/v1/ingest', { ...json, 'content-length': `${9 * MIB}` }, 413],
    [
      'of lines larger than a batch may be',
      '/api/v2/write',
      { ...text, 'content-length': `${9 * MIB}` },
      413,
    ],
    ['of a type that InfluxDB does not know', '/api/v2/write', json, 415],
    ['with a query that InfluxDB does not know', '/api/v2/write?precision=h', text, 400],
    ['of a type that OTLP does not know', '/otlp/v1/metrics', text, 415],
    ['at an address that is none', '/v1/nothing', json, 404],
  ])('%s is answered before it is read, and thrown away within bounds', async (_, path, headers, status) => {
    const { key } = await createTenant()
    const { body, taken } = endlessBody()
    const answer = await fetchWorker(path, {
      method: 'POST',
      body,
      headers: { 'x-api-key': key, ...headers },
    })
    expect(answer.status).toBe(status)
    expect(taken.bytes).toBeLessThanOrEqual(2 * CHUNK_BYTES)
    expect(await answer.json()).toMatchObject({ code: expect.anything() })
    expect(taken.bytes).toBeGreaterThan(9 * MIB)
    expect(taken.bytes).toBeLessThanOrEqual(17 * MIB)
  })

  it('without a key is answered alike', async () => {
    const { body, taken } = endlessBody()
    const answer = await fetchWorker('/v1/ingest', { method: 'POST', body, headers: json })
    expect(answer.status).toBe(401)
    expect(taken.bytes).toBeLessThanOrEqual(2 * CHUNK_BYTES)
  })
})

describe('discardUnread', () => {
  const app = new Hono().use(discardUnread).post('/:status', (c) => {
    return c.json({ code: 'refused' }, c.req.param('status') === '400' ? 400 : 202)
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('tells how long the answer is and has it ready while the sender says nothing', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const answer = await app.request('/400', { method: 'POST', body: new ReadableStream() })
    const reader = answer.body!.getReader()
    const { value } = await reader.read()
    expect(new TextDecoder().decode(value)).toBe('{"code":"refused"}')
    vi.advanceTimersByTime(10_000)
    expect(await reader.read()).toMatchObject({ done: true })
  })

  it('leaves the body of an accepted request, one that was read and one that failed alone', async () => {
    const { body, taken } = endlessBody()
    expect(await (await app.request('/202', { method: 'POST', body })).json()).toEqual({ code: 'refused' })
    expect(taken.bytes).toBe(0)
    for (const sent of ['read to its end', undefined]) {
      const answer = await app.request('/400', { method: 'POST', ...(sent && { body: sent }) })
      expect(await answer.json()).toEqual({ code: 'refused' })
    }
    const failing = new ReadableStream({ pull: (controller) => controller.error(new Error('gone')) })
    const answer = await app.request('/400', { method: 'POST', body: failing })
    expect(await answer.json()).toEqual({ code: 'refused' })
  })
})
