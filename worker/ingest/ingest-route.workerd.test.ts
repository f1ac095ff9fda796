import { env } from 'cloudflare:workers'
import * as v from 'valibot'
import { describe, expect, it, vi } from 'vitest'
import { archiveKeyOf } from '../../telemetry/archived-batch.ts'
import { batchMessage } from '../testing/consume.ts'
import { admin, createKey, createTenant, request, seriesBatch, type TestTenant } from '../testing/tenant.ts'

interface Answer {
  status: string | number
  code?: string
  batch_id: string
  datapoints: number
  rejected: number
  series: number
  r2_key: string
  received_at: string
  errors?: { path: string; code?: string; message: string }[]
}

async function gzip(text: string): Promise<ArrayBuffer> {
  return new Response(new Blob([text]).stream().pipeThrough(new CompressionStream('gzip'))).arrayBuffer()
}

async function expectProblem(answer: Response, status: number, code: string): Promise<Answer> {
  expect(answer.headers.get('content-type')).toBe('application/problem+json')
  const body = await answer.json<Answer>()
  expect({ status: answer.status, code: body.code }).toEqual({ status, code })
  expect(body.status).toBe(status)
  return body
}

const datapointsBody = (points: unknown[]) => ({ series: [{ device: 'd', metric: 'm', points }] })

async function usageTotal(tenant: TestTenant) {
  const { total } = await (await tenant.get('/v1/usage')).json<{ total: Record<string, number> }>()
  return total
}

describe('POST /v1/ingest', () => {
  it('answers 202 with the figures, archives the very bytes under raw/{tenant}/{batch} and stores the batch', async () => {
    const tenant = await createTenant()
    const raw = JSON.stringify(seriesBatch('b-1', 10))
    const answer = await tenant.ingest(undefined, { raw })
    expect(answer.status).toBe(202)
    expect(await answer.json()).toMatchObject({
      ...{ batch_id: 'b-1', status: 'accepted', datapoints: 10, rejected: 0, series: 1, errors: [] },
      r2_key: `raw/${tenant.id}/b-1`,
      received_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    })
    const object = await env.ARCHIVE.get(`raw/${tenant.id}/b-1`)
    expect(await object?.text()).toBe(raw)
    expect(object?.httpMetadata?.contentType).toBe('application/json')
    expect(object?.customMetadata).toMatchObject({
      home_shard: '0',
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
    await vi.waitFor(
      async () => {
        const batch = await (await tenant.get('/v1/batches/b-1')).json<{ status: string }>()
        expect(batch).toMatchObject({ status: 'persisted', datapoints: 10, error: null })
      },
      { timeout: 15_000, interval: 100 },
    )
  })

  it('sends exactly one queue message for a new batch and none for a repeated one', async () => {
    const tenant = await createTenant()
    // Every Queue binding shares its prototype, so this watches the Worker's own.
    const send = vi.spyOn(Object.getPrototypeOf(env.BATCHES), 'send')
    try {
      await tenant.ingest(seriesBatch('once'))
      await tenant.ingest({
        batch_id: 'twice',
        ...datapointsBody([
          [1767225600000, 1],
          [Date.now(), 1],
        ]),
      })
      await tenant.ingest({ batch_id: 'other', ...datapointsBody([[Date.now(), 1]]) })
      const raw = JSON.stringify(seriesBatch('repeated'))
      for (let i = 0; i < 3; i += 1) await tenant.ingest(undefined, { raw })
      const sent = send.mock.calls.map(([message]) => message)
      expect(sent).toEqual(
        ['once', 'twice', 'other', 'repeated'].map((batch_id) => ({
          ...{ tenant_id: tenant.id, batch_id, r2_key: `raw/${tenant.id}/${batch_id}` },
        })),
      )
    } finally {
      send.mockRestore()
    }
  })

  it('sends one queue message for each of many batches that come at once, in few calls', async () => {
    const tenant = await createTenant()
    const ids = Array.from({ length: 40 }, (_, i) => `at-once-${i}`)
    const queue = Object.getPrototypeOf(env.BATCHES)
    const send = vi.spyOn(queue, 'send')
    const sendBatch = vi.spyOn(queue, 'sendBatch')
    const sent = () => [
      ...send.mock.calls.map(([message]) => message),
      ...sendBatch.mock.calls.flatMap(([list]) =>
        Array.from(list as { body: unknown }[], ({ body }) => body),
      ),
    ]
    // On a busy machine an earlier test's batches are sent again meanwhile.
    const ours = v.object({ tenant_id: v.literal(tenant.id), batch_id: v.string() })
    const announced = () => sent().filter((message) => v.is(ours, message))
    try {
      await Promise.all(ids.map((id) => tenant.ingest(seriesBatch(id))))
      const messages = ids.map((id) => batchMessage(tenant, id))
      await vi.waitFor(() => expect(new Set(announced())).toEqual(new Set(messages)))
      expect(announced()).toHaveLength(ids.length)
      expect(send.mock.calls.length + sendBatch.mock.calls.length).toBeLessThan(ids.length)
    } finally {
      vi.restoreAllMocks()
    }
  })

  it('takes both shapes in one batch, ISO and integer timestamps, and counts series over both', async () => {
    const tenant = await createTenant()
    const now = Date.now()
    const answer = await tenant.ingest({
      series: [{ device: 'a', metric: 'm', points: [[now, 1]] }],
      datapoints: [
        { device: 'a', metric: 'm', ts: new Date(now - 1000).toISOString(), value: 2 },
        { device: 'b', metric: 'm', ts: now, value: 3, unit: 'A' },
      ],
    })
    expect(answer.status).toBe(202)
    expect(await answer.json()).toMatchObject({ datapoints: 3, series: 2 })
  })

  it('answers 200 duplicate with the first figures when the same bytes come again, and counts it', async () => {
    const tenant = await createTenant()
    const raw = JSON.stringify({
      batch_id: 'dup',
      ...datapointsBody([
        [Date.now(), 1],
        [Date.now() - 5000, null],
      ]),
    })
    const first = await (await tenant.ingest(undefined, { raw })).json<Answer>()
    const again = await tenant.ingest(undefined, { raw })
    expect(again.status).toBe(200)
    expect(await again.json()).toEqual({ ...first, status: 'duplicate' })
    expect(await usageTotal(tenant)).toMatchObject({ batches: 1, datapoints: 1, duplicates: 1, rejected: 1 })
  })

  it('takes a gzipped batch and calls the same content sent plain a duplicate', async () => {
    const tenant = await createTenant()
    const text = JSON.stringify(seriesBatch('zipped'))
    const zipped = await gzip(text)
    const headers = { 'content-encoding': 'gzip' }
    expect((await tenant.ingest(undefined, { raw: zipped, headers })).status).toBe(202)
    expect((await tenant.ingest(undefined, { raw: text })).status).toBe(200)
    const object = await env.ARCHIVE.get(archiveKeyOf(tenant.id, 'zipped'))
    expect(new Uint8Array(await object!.arrayBuffer())).toEqual(new Uint8Array(zipped))
    expect((await usageTotal(tenant))['bytes']).toBe(zipped.byteLength)
  })

  it('names a batch without batch_id after its content, so that a blind retry is a duplicate', async () => {
    const tenant = await createTenant()
    const raw = JSON.stringify(datapointsBody([[Date.now(), 1]]))
    const first = await (await tenant.ingest(undefined, { raw })).json<Answer>()
    expect(first.batch_id).toMatch(/^sha256-[0-9a-f]{64}$/)
    expect((await tenant.ingest(undefined, { raw })).status).toBe(200)
  })

  it('answers 409 when a batch_id comes again with other content, and keeps the first', async () => {
    const tenant = await createTenant()
    await tenant.ingest({ batch_id: 'same', ...datapointsBody([[Date.now(), 1]]) })
    const answer = await tenant.ingest({ batch_id: 'same', ...datapointsBody([[Date.now(), 2]]) })
    await expectProblem(answer, 409, 'batch_conflict')
    expect(await usageTotal(tenant)).toMatchObject({ batches: 1, datapoints: 1, duplicates: 0 })
  })

  it('accepts one of many concurrent posts of the same batch and calls the others duplicates', async () => {
    const tenant = await createTenant()
    const raw = JSON.stringify(seriesBatch('race', 100))
    const answers = await Promise.all(Array.from({ length: 20 }, () => tenant.ingest(undefined, { raw })))
    const statuses = answers.map(({ status }) => status).sort()
    expect(statuses).toEqual([...Array.from({ length: 19 }, () => 200), 202])
    expect(await usageTotal(tenant)).toMatchObject({ batches: 1, datapoints: 100, duplicates: 19 })
  })
})

describe('what is malformed rejects the batch', () => {
  it('answers 401 without a key, with a made-up key and with one that was revoked', async () => {
    const tenant = await createTenant()
    const body = JSON.stringify(seriesBatch('x'))
    const headers = { 'content-type': 'application/json' }
    const bare = await request('/v1/ingest', { method: 'POST', body, headers })
    await expectProblem(bare, 401, 'missing_api_key')
    const madeUp = `${tenant.key.slice(0, -1)}${tenant.key.endsWith('A') ? 'B' : 'A'}`
    for (const key of ['nonsense', 'epk_', madeUp]) {
      const answer = await request('/v1/ingest', {
        method: 'POST',
        body,
        headers: { ...headers, 'x-api-key': key },
      })
      await expectProblem(answer, 401, 'invalid_api_key')
    }
    await tenant.ingest(seriesBatch('before'))
    expect((await admin('DELETE', `/tenants/${tenant.id}/keys/${tenant.keyId}`)).status).toBe(204)
    await expectProblem(await tenant.ingest(seriesBatch('after')), 401, 'invalid_api_key')
    await expectProblem(await tenant.ingest(undefined, { raw: '{' }), 401, 'invalid_api_key')
    expect(await env.ARCHIVE.head(archiveKeyOf(tenant.id, 'after'))).toBeNull()
  })

  it('answers 401 with an expired key and 403 with one that may only read or whose tenant is suspended', async () => {
    const tenant = await createTenant()
    const expired = await createKey(tenant.id, ['ingest'], { expires_at: Date.now() - 1000 })
    await expectProblem(await expired.ingest(seriesBatch('x')), 401, 'invalid_api_key')
    const reader = await createKey(tenant.id, ['read'])
    await expectProblem(await reader.ingest(seriesBatch('x')), 403, 'insufficient_scope')
    expect((await admin('PATCH', `/tenants/${tenant.id}`, { state: 'suspended' })).status).toBe(200)
    await expectProblem(await tenant.ingest(seriesBatch('x')), 403, 'tenant_suspended')
    await expectProblem(await tenant.get('/v1/devices'), 403, 'tenant_suspended')
  })

  it('takes the key as a bearer token too', async () => {
    const tenant = await createTenant({ scopes: ['read'] })
    const answer = await request('/v1/devices', { headers: { authorization: `Bearer ${tenant.key}` } })
    expect(answer.status).toBe(200)
  })

  it.each([
    ['{', 'invalid_json'],
    ['', 'invalid_json'],
    [new Uint8Array([0x22, 0xff, 0x22]), 'invalid_json'],
    ['[]', 'validation_failed'],
    ['{}', 'validation_failed'],
    ['{"series":{}}', 'validation_failed'],
    ['{"batch_id":"-x","series":[]}', 'validation_failed'],
    ['{"series":[],"precision":"m"}', 'validation_failed'],
    ['{"series":[]}', 'no_datapoint_accepted'],
  ])('answers 400 to the body %s with %s', async (raw, code) => {
    const tenant = await createTenant()
    await expectProblem(await tenant.ingest(undefined, { raw }), 400, code)
  })

  it('answers 400 to what is not gzip though it says so', async () => {
    const tenant = await createTenant()
    const headers = { 'content-encoding': 'gzip' }
    const answer = await tenant.ingest(undefined, { raw: JSON.stringify(seriesBatch('x')), headers })
    await expectProblem(answer, 400, 'invalid_json')
  })

  it('names the place of every fault, the first 20 of them', async () => {
    const tenant = await createTenant()
    const answer = await tenant.ingest({
      series: [{ device: 'd', metric: 'm', points: [[1, 2], ['yesterday', 1], [Date.now(), 'high'], [3]] }],
      datapoints: [{ device: 'd', ts: Date.now(), value: 1 }],
    })
    const { errors } = await expectProblem(answer, 400, 'validation_failed')
    expect(errors?.map(({ path }) => path)).toEqual([
      'series[0].points[1][0]',
      'series[0].points[2][1]',
      'series[0].points[3]',
      'datapoints[0].metric',
    ])
    const many = await tenant.ingest(datapointsBody(Array.from({ length: 30 }, () => [])))
    expect((await expectProblem(many, 400, 'validation_failed')).errors).toHaveLength(20)
  })

  it('answers 415 to another content type or encoding', async () => {
    const tenant = await createTenant()
    const text = await tenant.ingest(seriesBatch('x'), { headers: { 'content-type': 'text/plain' } })
    await expectProblem(text, 415, 'unsupported_media_type')
    const brotli = await tenant.ingest(seriesBatch('x'), { headers: { 'content-encoding': 'br' } })
    await expectProblem(brotli, 415, 'unsupported_encoding')
  })

  it('answers 413 to more datapoints or bytes than a batch may have, also when they were compressed away', async () => {
    const tenant = await createTenant()
    const points = Array.from({ length: 50_001 }, (_, i) => [Date.now() - i, i])
    await expectProblem(await tenant.ingest(datapointsBody(points)), 413, 'payload_too_large')
    const large = await tenant.ingest(undefined, { raw: ' '.repeat(8 * 1024 * 1024 + 1) })
    await expectProblem(large, 413, 'payload_too_large')
    const bomb = await gzip(' '.repeat(17 * 1024 * 1024))
    const inflated = await tenant.ingest(undefined, { raw: bomb, headers: { 'content-encoding': 'gzip' } })
    await expectProblem(inflated, 413, 'payload_too_large')
  })

  it('accepts 50,000 datapoints in one batch', async () => {
    const tenant = await createTenant()
    const now = Date.now()
    const points = Array.from({ length: 50_000 }, (_, i) => [now - i, i])
    const answer = await tenant.ingest(datapointsBody(points))
    expect(answer.status).toBe(202)
    expect(await answer.json()).toMatchObject({ datapoints: 50_000, rejected: 0 })
  })

  it('answers 405 to another method and 404 to an unknown path', async () => {
    await expectProblem(await request('/v1/ingest'), 405, 'method_not_allowed')
    await expectProblem(await request('/v1/nothing'), 404, 'not_found')
  })
})

describe('what cannot be stored rejects that datapoint alone', () => {
  it('tells why for each, by its place in the body', async () => {
    const tenant = await createTenant()
    const now = Date.now()
    const answer = await tenant.ingest(
      datapointsBody([
        [now, 1],
        [now + 11 * 60_000, 2],
        [now - 40 * 86_400_000, 3],
        [1000, 4],
        [now - 1000, null],
        [now - 2000, 5],
        [now - 2000, 6],
      ]),
    )
    expect(answer.status).toBe(202)
    const body = await answer.json<Answer>()
    expect(body).toMatchObject({ datapoints: 2, rejected: 5 })
    expect(body.errors?.map(({ path, code }) => [path, code])).toEqual([
      ['series[0].points[1]', 'timestamp_in_future'],
      ['series[0].points[2]', 'timestamp_too_old'],
      ['series[0].points[3]', 'timestamp_too_old'],
      ['series[0].points[4]', 'null_value'],
      ['series[0].points[5]', 'duplicate_timestamp'],
    ])
  })

  it('answers 400 when nothing is left and leaves the batch_id free for other content', async () => {
    const tenant = await createTenant({ plan: { retention_days: 1 } })
    for (const ts of [Date.now() + 3_600_000, Date.now() - 3 * 86_400_000]) {
      const refused = await tenant.ingest({ batch_id: 'free', ...datapointsBody([[ts, 1]]) })
      const { errors } = await expectProblem(refused, 400, 'no_datapoint_accepted')
      expect(errors?.[0]?.path).toBe('series[0].points[0]')
    }
    expect(await env.ARCHIVE.head(archiveKeyOf(tenant.id, 'free'))).toBeNull()
    const answer = await tenant.ingest({ batch_id: 'free', ...datapointsBody([[Date.now(), 1]]) })
    expect(answer.status).toBe(202)
    expect(await usageTotal(tenant)).toMatchObject({ batches: 1, datapoints: 1, rejected: 0 })
  })
})
