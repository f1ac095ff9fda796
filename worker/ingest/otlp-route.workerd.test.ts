import { env } from 'cloudflare:workers'
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics'
import { describe, expect, it } from 'vitest'
import { persisted } from '../testing/consume.ts'
import { ENCODINGS, type Encoding, post } from '../testing/otlp.ts'
import { gaugesOf } from '../testing/otlp-gauges.ts'
import { batchIdOf, seriesOf, usageTotal } from '../testing/reads.ts'
import { createTenant } from '../testing/tenant.ts'

describe.each(Object.entries(ENCODINGS))('POST /otlp/v1/metrics in %s', (_, encoding) => {
  function send(tenant: { key: string }, sent: ResourceMetrics) {
    const bytes = encoding.serializer.serializeRequest(sent)!
    // Text is held against the API's description.
    return post(tenant, encoding, encoding === ENCODINGS.JSON ? new TextDecoder().decode(bytes) : bytes)
  }

  async function expectAnswer(answer: Response, { type, serializer }: Encoding = encoding) {
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, type])
    const bytes = await answer.bytes()
    return { bytes, response: serializer.deserializeResponse(bytes) }
  }

  it('archives, counts and stores a batch as /v1/ingest does the same points', async () => {
    const [otlp, json] = [await createTenant(), await createTenant()]
    const now = Date.now()
    const points: [number, number][] = [
      [now - 1000, 71.25],
      [now, -2],
    ]
    const answer = await send(otlp, gaugesOf('pump-7', [{ name: 'engine.temperature', unit: 'C', points }]))
    const { bytes } = await expectAnswer(answer)
    expect(new TextDecoder().decode(bytes)).toBe(encoding === ENCODINGS.JSON ? '{}' : '')
    const series = [{ device: 'pump-7', metric: 'engine.temperature', unit: 'C', points }]
    expect((await json.ingest({ batch_id: 'j', series })).status).toBe(202)
    await Promise.all([persisted(otlp, batchIdOf(answer)), persisted(json, 'j')])
    const stored = await seriesOf(otlp)
    expect(Object.keys(stored)).toHaveLength(1)
    expect(stored).toEqual(await seriesOf(json))
    expect(await usageTotal(otlp)).toMatchObject({ batches: 1, datapoints: 2, rejected: 0 })
  })

  it('keeps the bytes as sent, gzipped or not, and takes a repeat for one', async () => {
    const tenant = await createTenant()
    const plain = encoding.serializer.serializeRequest(
      gaugesOf('d', [{ name: 'm', points: [[Date.now(), 1]] }]),
    )!
    const gzip = new Blob([Uint8Array.from(plain)]).stream().pipeThrough(new CompressionStream('gzip'))
    const body = await new Response(gzip).arrayBuffer()
    const answers = [
      await post(tenant, encoding, body, { 'content-encoding': 'gzip' }),
      await post(tenant, encoding, plain),
      await post(tenant, { type: `${encoding.type}; charset=utf-8` }, body, { 'content-encoding': 'gzip' }),
    ]
    const answered = await Promise.all(answers.map((answer) => expectAnswer(answer)))
    expect(answered.map(({ response }) => response)).toEqual(answered.map(() => ({})))
    const [batchId] = answers.map(batchIdOf)
    expect(batchId).toMatch(/^sha256-[0-9a-f]{64}$/)
    expect(new Set(answers.map(batchIdOf)).size).toBe(1)
    const object = await env.ARCHIVE.get(`raw/${tenant.id}/${batchId}`)
    expect(await object!.arrayBuffer()).toEqual(body)
    expect(object!.httpMetadata).toEqual({ contentType: encoding.type, contentEncoding: 'gzip' })
    expect(await usageTotal(tenant)).toMatchObject({ batches: 1, datapoints: 1, duplicates: 2 })
    await persisted(tenant, batchId!)
    expect(Object.keys(await seriesOf(tenant))).toEqual(['d/m'])
  })

  it('stores what can be stored and says how many datapoints could not, to a repeat as well', async () => {
    const tenant = await createTenant()
    const now = Date.now()
    const sent = gaugesOf('d', [
      {
        name: 'm',
        points: [
          [now, 1],
          [now + 3_600_000, 2],
          [now + 3_700_000, 3],
        ],
      },
      { name: 'x'.repeat(129), points: [[now, 1]] },
    ])
    const answer = await send(tenant, sent)
    const { response } = await expectAnswer(answer)
    const at = 'resourceMetrics[0].scopeMetrics[0].metrics'
    expect(Number(response.partialSuccess?.rejectedDataPoints)).toBe(3)
    expect(response.partialSuccess?.errorMessage).toContain(
      `${at}[0].gauge.dataPoints[1] is more than 10 minutes`,
    )
    expect(response.partialSuccess?.errorMessage).toContain(
      `${at}[1].gauge.dataPoints[0] has a device, metric or`,
    )
    expect((await expectAnswer(await send(tenant, sent))).response).toEqual(response)
    await persisted(tenant, batchIdOf(answer))
    expect(await seriesOf(tenant)).toEqual({ 'd/m': [[new Date(now).toISOString(), 1]] })
    expect(await usageTotal(tenant)).toMatchObject({ datapoints: 1, rejected: 3, duplicates: 1 })
  })

  it('stores nothing of an empty export, and has nothing against it', async () => {
    const tenant = await createTenant()
    for (const sent of [gaugesOf('d', []), gaugesOf('d', [{ name: 'm', points: [] }])]) {
      const { response } = await expectAnswer(await send(tenant, sent))
      expect(response).toEqual({})
    }
    expect(await usageTotal(tenant)).toMatchObject({ batches: 0, duplicates: 0 })
    expect((await env.ARCHIVE.list({ prefix: `raw/${tenant.id}/` })).objects).toEqual([])
  })

  it('gives datapoints without a time that of arrival, and counts the same bytes each time', async () => {
    const tenant = await createTenant()
    const sent = gaugesOf('d', [{ name: 'm', points: [[0, 1]] }])
    const batchIds = [await send(tenant, sent), await send(tenant, sent)].map(batchIdOf)
    expect(new Set(batchIds).size).toBe(2)
    await Promise.all(batchIds.map((batchId) => persisted(tenant, batchId)))
    const received = batchIds.map(async (batchId) => {
      const batch = await (await tenant.get(`/v1/batches/${batchId}`)).json<{ received_at: string }>()
      return batch.received_at
    })
    // Two within a millisecond are one datapoint; the later one counts.
    const expected = [...new Set(await Promise.all(received))].sort().map((at) => [at, 1])
    expect(await seriesOf(tenant)).toEqual({ 'd/m': expected })
  })
})

describe('POST /otlp/v1/metrics', () => {
  it('takes the two encodings of an export for two batches, of the same datapoints', async () => {
    const tenant = await createTenant()
    const now = Date.now()
    const sent = gaugesOf('d', [{ name: 'm', points: [[now, 1]], attributes: { b: '2', a: '1' } }])
    const answers = Object.values(ENCODINGS).map((encoding) =>
      post(tenant, encoding, encoding.serializer.serializeRequest(sent)!),
    )
    const batchIds = (await Promise.all(answers)).map(batchIdOf)
    expect(new Set(batchIds).size).toBe(2)
    await Promise.all(batchIds.map((batchId) => persisted(tenant, batchId)))
    expect(await seriesOf(tenant)).toEqual({ 'd/m,a=1,b=2': [[new Date(now).toISOString(), 1]] })
  })

  it('counts a histogram’s count and sum as one rejected datapoint', async () => {
    const tenant = await createTenant()
    const point = (ms: number) => ({ timeUnixNano: `${ms}000000`, count: '3', sum: 1 })
    const dataPoints = [point(Date.now()), point(1), point(2)]
    const metrics = [{ name: 'h', unit: 'ms', histogram: { dataPoints } }]
    const body = JSON.stringify({ resourceMetrics: [{ scopeMetrics: [{ metrics }] }] })
    const answer = await post(tenant, ENCODINGS.JSON, body)
    expect(await answer.json()).toMatchObject({ partialSuccess: { rejectedDataPoints: '2' } })
    await persisted(tenant, batchIdOf(answer))
    expect(Object.keys(await seriesOf(tenant)).sort()).toEqual(['default/h.count', 'default/h.sum ms'])
  })

  it('keeps tenants apart, whatever they call their devices', async () => {
    const tenants = [await createTenant(), await createTenant()]
    const sent = gaugesOf('d', [{ name: 'm', points: [[Date.now(), 1]] }])
    const body = ENCODINGS.protobuf.serializer.serializeRequest(sent)!
    const answers = await Promise.all(tenants.map((tenant) => post(tenant, ENCODINGS.protobuf, body)))
    await Promise.all(tenants.map((tenant, i) => persisted(tenant, batchIdOf(answers[i]!))))
    for (const tenant of tenants) {
      expect(await usageTotal(tenant)).toMatchObject({ batches: 1, datapoints: 1, duplicates: 0 })
      expect(Object.keys(await seriesOf(tenant))).toEqual(['d/m'])
    }
  })
})
