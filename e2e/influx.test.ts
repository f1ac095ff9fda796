import { HttpError, InfluxDB, Point, type WriteOptions } from '@influxdata/influxdb-client'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { DevFile } from '../local/dev-file.ts'
import { end, makePlace, type Place, type Run, run, untilReady } from './local-stack.ts'

let place: Place
let dev: Run
let stack: DevFile
let key: string

beforeAll(async () => {
  place = await makePlace()
  dev = run('dev', place)
  stack = await untilReady(dev, place)
  const { id } = await admin('/tenants', { name: 'acme' })
  key = (await admin(`/tenants/${id}/keys`, { scopes: ['ingest', 'read'] })).key
})
afterAll(() => end(dev, place))

async function admin(path: string, body: unknown): Promise<{ id: string; key: string }> {
  const response = await fetch(`${stack.url}/admin${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${stack.admin_token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  expect(response.status).toBe(201)
  return (await response.json()) as { id: string; key: string }
}

async function read<T>(path: string): Promise<T[]> {
  const response = await fetch(stack.url + path, { headers: { 'x-api-key': key } })
  expect(response.status).toBe(200)
  return ((await response.json()) as { data: T[] }).data
}

/** As an application uses the library, except that nothing is tried again behind the test's back. */
const writer = (token: string, options: Partial<WriteOptions> = {}) =>
  new InfluxDB({ url: stack.url, token }).getWriteApi('org', 'bucket', 'ns', { maxRetries: 0, ...options })

interface Metric {
  id: string
  device: string
  name: string
}

async function datapoints(name: string): Promise<[string, number][]> {
  const metric = (await read<Metric>('/v1/metrics')).find((each) => each.name === name)
  return metric ? read(`/v1/metrics/${metric.id}/datapoints`) : []
}

describe('the InfluxDB client library', () => {
  it('writes points, gzipped, that come back as datapoints', async () => {
    const now = Date.now()
    const sent = Array.from({ length: 100 }, (_, i): [number, number] => [now - (100 - i) * 1000, i / 3])
    const write = writer(key, { gzipThreshold: 0, defaultTags: { device: 'pump-7' } })
    write.writePoints(
      sent.map(([ts, value]) =>
        new Point('engine')
          .floatField('temperature', value)
          .booleanField('running', true)
          .stringField('note', 'a "quoted" text, with = signs')
          .timestamp(`${ts}000000`),
      ),
    )
    await write.close()
    const expected = sent.map(([ts, value]) => [new Date(ts).toISOString(), value])
    await vi.waitFor(async () => expect(await datapoints('engine.temperature')).toEqual(expected), {
      timeout: 30_000,
      interval: 100,
    })
    expect(await datapoints('engine.running')).toEqual(expected.map(([ts]) => [ts, 1]))
    const metrics = await read<Metric>('/v1/metrics')
    expect(metrics.map(({ device, name }) => `${device}/${name}`).sort()).toEqual([
      'pump-7/engine.running',
      'pump-7/engine.temperature',
    ])
  })

  it.each([
    ['a line that cannot be stored', () => key, 400, 'invalid'],
    ['a key that is none', () => 'epk_nonsense', 401, 'unauthorized'],
  ])('reads from the answer what is wrong with %s', async (_, token, statusCode, code) => {
    const failures: Error[] = []
    const write = writer(token(), {
      writeFailed(error) {
        failures.push(error)
        return Promise.resolve()
      },
    })
    write.writeRecord('engine note="text"')
    await write.close()
    expect(failures).toEqual([expect.any(HttpError)])
    expect(failures).toMatchObject([{ statusCode, code }])
  })

  it('finds the probes that come with the protocol', async () => {
    expect((await fetch(`${stack.url}/ping`)).status).toBe(204)
    expect(await (await fetch(`${stack.url}/health`)).json()).toMatchObject({ status: 'pass' })
  })
})
