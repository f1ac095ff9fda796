import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { persisted } from '../testing/consume.ts'
import { write } from '../testing/influx.ts'
import { batchIdOf, list, seriesOf, usageTotal } from '../testing/reads.ts'
import { createTenant, seriesBatch } from '../testing/tenant.ts'

const gzip = (text: string) =>
  new Response(new Blob([text]).stream().pipeThrough(new CompressionStream('gzip'))).arrayBuffer()

describe('POST /api/v2/write', () => {
  it('archives, counts and stores a batch as /v1/ingest does the same points as JSON', async () => {
    const [influx, json] = [await createTenant(), await createTenant()]
    const now = Date.now()
    const line = `engine,device=pump-7 temperature=71.3,starts=4i,running=t ${now}000000`
    const answer = await write(influx, `${line}\nengine,host=gw temperature=-2 ${now - 1000}000000`, {
      query: '',
    })
    expect([answer.status, await answer.text()]).toEqual([204, ''])
    const point = (device: string, metric: string, ts: number, value: number) => ({
      device,
      metric,
      ts,
      value,
    })
    const datapoints = [
      point('pump-7', 'engine.temperature', now, 71.3),
      point('pump-7', 'engine.starts', now, 4),
      point('pump-7', 'engine.running', now, 1),
      point('gw', 'engine.temperature', now - 1000, -2),
    ]
    expect((await json.ingest({ batch_id: 'j', datapoints })).status).toBe(202)
    await Promise.all([persisted(influx, batchIdOf(answer)), persisted(json, 'j')])
    const stored = await seriesOf(influx)
    expect(Object.keys(stored)).toHaveLength(4)
    expect(stored).toEqual(await seriesOf(json))
    expect(await usageTotal(influx)).toMatchObject({ batches: 1, datapoints: 4, rejected: 0 })
  })

  it('keeps the bytes as sent, with what they mean, and takes a repeat for one', async () => {
    const tenant = await createTenant()
    const body = await gzip(`m,device=d t=1 ${Date.now()}`)
    const headers = { 'content-encoding': 'gzip' }
    const query = '?org=o&bucket=b&precision=ms&device_tag=Stra%C3%9Fe'
    const answers = [
      await write(tenant, body, { headers, query }),
      await write(tenant, body, { headers, query }),
    ]
    expect(answers.map(({ status }) => status)).toEqual([204, 204])
    const [batchId, again] = answers.map(batchIdOf)
    expect(batchId).toMatch(/^sha256-[0-9a-f]{64}$/)
    expect(again).toBe(batchId)
    const object = await env.ARCHIVE.get(`raw/${tenant.id}/${batchId}`)
    expect(await object!.arrayBuffer()).toEqual(body)
    expect(object!.httpMetadata).toEqual({ contentType: 'text/plain', contentEncoding: 'gzip' })
    const params = 'precision=ms&device_tag=Stra%C3%9Fe'
    expect(object!.customMetadata).toMatchObject({ format: 'line-protocol', params })
    expect(await usageTotal(tenant)).toMatchObject({ batches: 1, datapoints: 1, duplicates: 1 })
    await persisted(tenant, batchId!)
    expect(Object.keys(await seriesOf(tenant))).toEqual(['default/m.t,device=d'])
  })

  it('takes the same bytes with another meaning for another batch', async () => {
    const tenant = await createTenant()
    const body = `m,device=d,sensor=s t=1 ${Date.now()}`
    const answers = [
      await write(tenant, body),
      await write(tenant, body, { query: '?precision=ms&device_tag=sensor' }),
    ]
    expect(new Set(answers.map(batchIdOf)).size).toBe(2)
    expect(await usageTotal(tenant)).toMatchObject({ batches: 2, duplicates: 0 })
  })

  it('gives lines without a timestamp the time of arrival, and counts the same bytes each time', async () => {
    const tenant = await createTenant()
    const answers = [await write(tenant, 'm,device=d t=1'), await write(tenant, 'm,device=d t=1')]
    const batchIds = answers.map(batchIdOf)
    expect(new Set(batchIds).size).toBe(2)
    await Promise.all(batchIds.map((batchId) => persisted(tenant, batchId)))
    const received = batchIds.map(async (batchId) => {
      const batch = await (await tenant.get(`/v1/batches/${batchId}`)).json<{ received_at: string }>()
      return batch.received_at
    })
    // Two within a millisecond are one datapoint; the later one counts.
    const expected = [...new Set(await Promise.all(received))].sort().map((at) => [at, 1])
    expect(await seriesOf(tenant)).toEqual({ 'd/m.t': expected })
  })

  it('stores what can be stored and says how much could not', async () => {
    const tenant = await createTenant()
    const now = Date.now()
    const lines = [`m,device=d t=1,s="text" ${now}`, 'nonsense', `m,device=d t=2 ${now + 3_600_000}`]
    const answer = await write(tenant, lines.join('\n'))
    expect([answer.status, answer.headers.get('x-edgepulse-rejected')]).toEqual([204, '3'])
    await persisted(tenant, batchIdOf(answer))
    expect(await seriesOf(tenant)).toEqual({ 'd/m.t': [[new Date(now).toISOString(), 1]] })
    expect(await usageTotal(tenant)).toMatchObject({ datapoints: 1, rejected: 3 })
  })

  it('keeps JSON and line protocol of one tenant in the same series', async () => {
    const tenant = await createTenant()
    const { batch_id, series } = seriesBatch('json', 1)
    await tenant.ingest({ batch_id, series: series.map((each) => ({ ...each, metric: 'engine.t' })) })
    const answer = await write(tenant, `engine,device=pump-7 t=5 ${Date.now()}`)
    await Promise.all([persisted(tenant, 'json'), persisted(tenant, batchIdOf(answer))])
    const { data } = await list(tenant, '/v1/metrics')
    expect(data).toMatchObject([{ device: 'pump-7', name: 'engine.t', unit: 'C' }])
  })
})
