import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { InfluxDB, Point } from '@influxdata/influxdb-client'
import { DiagLogLevel, diag } from '@opentelemetry/api'
import { OTLPMetricExporter as JsonExporter } from '@opentelemetry/exporter-metrics-otlp-http'
import { OTLPMetricExporter as ProtobufExporter } from '@opentelemetry/exporter-metrics-otlp-proto'
import { CompressionAlgorithm, type OTLPExporterError } from '@opentelemetry/otlp-exporter-base'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  MeterProvider,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type DevFile, readDevFile } from '../local/dev-file.ts'
import { gaugesOf } from '../worker/testing/otlp-gauges.ts'
import { end, makePlace, type Place, type Run, run, untilReady } from './local-stack.ts'

let place: Place
let dev: Run
let stack: DevFile

beforeAll(async () => {
  // What a killed Worker held in its queue is sent again after this, rather than after half a minute.
  place = await makePlace({ RESEND_AFTER_MS: '3000' })
  dev = run('dev', place)
  stack = await untilReady(dev, place)
})
afterAll(() => end(dev, place))

async function call<T>(path: string, headers: Record<string, string>, body?: unknown): Promise<T> {
  const response = await fetch(stack.url + path, {
    headers: { ...headers, 'content-type': 'application/json' },
    ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
  })
  expect(response.ok, await response.clone().text()).toBe(true)
  return (await response.json()) as T
}

/** The key of a tenant of its own. */
async function makeKey(): Promise<string> {
  const admin = { authorization: `Bearer ${stack.admin_token}` }
  const { id } = await call<{ id: string }>('/admin/tenants', admin, { name: crypto.randomUUID() })
  const scopes = ['ingest', 'read']
  return (await call<{ key: string }>(`/admin/tenants/${id}/keys`, admin, { scopes })).key
}

type Series = Record<string, [string, number][]>

/** Every series of a tenant, with its rows. */
async function seriesOf(key: string): Promise<Series> {
  const headers = { 'x-api-key': key }
  type Metric = Record<'id' | 'device' | 'name' | 'unit', string | null>
  const { data } = await call<{ data: Metric[] }>('/v1/metrics', headers)
  const rows = data.map(async ({ id, device, name, unit }): Promise<[string, [string, number][]]> => {
    const page = await call<{ data: [string, number][] }>(`/v1/metrics/${id}/datapoints`, headers)
    return [`${device}/${name}${unit ? ` ${unit}` : ''}`, page.data]
  })
  return Object.fromEntries(await Promise.all(rows))
}

async function usageOf(key: string) {
  const day = (ms: number) => new Date(ms).toISOString().slice(0, 10)
  const range = `from=${day(Date.now() - 86_400_000)}&to=${day(Date.now())}`
  const { total } = await call<{ total: object }>(`/v1/usage?${range}`, { 'x-api-key': key })
  return total
}

const patience = { timeout: 60_000, interval: 100 }
const expectSeries = (key: string, expected: Series) =>
  vi.waitFor(async () => expect(await seriesOf(key)).toEqual(expected), patience)

const EXPORTERS = { JSON: JsonExporter, protobuf: ProtobufExporter }

describe.each(Object.entries(EXPORTERS))('the OpenTelemetry exporter for %s', (_, Exporter) => {
  const exporterOf = (key: string, url = stack.url) =>
    new Exporter({
      url: `${url}/otlp/v1/metrics`,
      headers: { 'x-api-key': key },
      compression: CompressionAlgorithm.GZIP,
      timeoutMillis: 30_000,
    })

  function exported(
    exporter: PushMetricExporter,
    metrics: ResourceMetrics,
  ): Promise<OTLPExporterError | undefined> {
    return new Promise((resolve) => {
      exporter.export(metrics, ({ error }) => resolve(error as OTLPExporterError | undefined))
    })
  }

  /** An application's meter, which exports when it is told to. */
  function meterOf(key: string) {
    const reader = new PeriodicExportingMetricReader({
      exporter: exporterOf(key),
      exportIntervalMillis: 3_600_000,
    })
    const resource = resourceFromAttributes({ 'service.name': 'test', 'device.id': 'pump-7' })
    const provider = new MeterProvider({ resource, readers: [reader] })
    return { meter: provider.getMeter('test'), provider }
  }

  it('exports what an application measures, which comes back as datapoints', async () => {
    const key = await makeKey()
    const { meter, provider } = meterOf(key)
    const temperature = meter.createGauge('engine.temperature', { unit: 'C' })
    const starts = meter.createCounter('engine.starts')
    const load = meter.createHistogram('engine.load', { unit: 'ms' })
    for (const [i, value] of [71.25, -3].entries()) {
      temperature.record(value)
      starts.add(2, { site: 'north' })
      load.record(10 + i)
      load.record(20)
      await provider.forceFlush()
    }
    await vi.waitFor(async () => {
      const values = Object.entries(await seriesOf(key)).map(([name, rows]) => [
        name,
        rows.map(([, value]) => value),
      ])
      expect(Object.fromEntries(values)).toEqual({
        'pump-7/engine.temperature C': [71.25, -3],
        'pump-7/engine.starts,site=north': [2, 4],
        'pump-7/engine.load.count': [2, 4],
        'pump-7/engine.load.sum ms': [30, 61],
      })
    }, patience)
    const [first] = (await seriesOf(key))['pump-7/engine.temperature C']![0]!
    expect(Math.abs(Date.parse(first) - Date.now())).toBeLessThan(120_000)
    await provider.shutdown()
  })

  it('tells what was not stored, and takes it for delivered', async () => {
    const key = await makeKey()
    const warnings: unknown[][] = []
    const ignore = () => {}
    const logger = { verbose: ignore, debug: ignore, info: ignore, error: ignore }
    diag.setLogger({ ...logger, warn: (...words) => warnings.push(words) }, { logLevel: DiagLogLevel.WARN })
    const now = Date.now()
    const points = [now, now + 3_600_000].map((ts): [number, number] => [ts, 1])
    expect(await exported(exporterOf(key), gaugesOf('d', [{ name: 'm', points }]))).toBeUndefined()
    diag.disable()
    expect(warnings).toEqual([
      ['Received Partial Success response:', expect.stringMatching(/more than 10 minutes/)],
    ])
    expect(JSON.parse(warnings[0]![1] as string)).toMatchObject({
      rejectedDataPoints: expect.toSatisfy((n) => Number(n) === 1),
    })
    await expectSeries(key, { 'd/m': [[new Date(now).toISOString(), 1]] })
  })

  it.each([
    ['datapoints that cannot be stored', 1, makeKey, 400],
    ['a key that is none', Date.now(), async () => 'epk_nonsense', 401],
  ])('gives up on %s and hands over what was answered', async (_name, ts, keyOf, code) => {
    const error = await exported(exporterOf(await keyOf()), gaugesOf('d', [{ name: 'm', points: [[ts, 1]] }]))
    expect(error).toMatchObject({ code, data: expect.stringMatching(/correct|key|stored/) })
  })

  it('tries again when the answer is lost, and everything is stored once', async () => {
    const key = await makeKey()
    const proxy = await losingFirstAnswer()
    const now = Date.now()
    const points = Array.from({ length: 100 }, (_each, i): [number, number] => [now - i * 1000, i])
    expect(await exported(exporterOf(key, proxy.url), gaugesOf('d', [{ name: 'm', points }]))).toBeUndefined()
    expect(proxy.statuses).toEqual([200, 200])
    proxy.close()
    await expectSeries(key, {
      'd/m': points.map(([ts, i]): [string, number] => [new Date(ts).toISOString(), i]).reverse(),
    })
    expect(await usageOf(key)).toMatchObject({ batches: 1, datapoints: 100, duplicates: 1 })
  })

  it('exports through the death of the Worker, and everything is stored once', async () => {
    const key = await makeKey()
    const exporter = exporterOf(key)
    const now = Date.now()
    const exports = Array.from({ length: 20 }, (_each, i) => {
      return gaugesOf('d', [{ name: 'm', points: [[now - i * 1000, i]] }])
    })
    const worker = readDevFile(place.stateDir)!.pids.worker
    let delivered = 0
    const lanes = [0, 1].map(async (lane) => {
      for (let i = lane; i < exports.length; i += 2) {
        // As a queue in front of an exporter does: the same export until it is delivered.
        await vi.waitFor(async () => expect(await exported(exporter, exports[i]!)).toBeUndefined(), patience)
        delivered += 1
      }
    })
    await expect.poll(() => delivered, { timeout: 60_000, interval: 2 }).toBeGreaterThan(2)
    process.kill(worker, 'SIGKILL')
    expect(delivered).toBeLessThan(exports.length)
    await Promise.all(lanes)
    expect(readDevFile(place.stateDir)?.pids.worker).not.toBe(worker)
    const rows = exports.map((_each, i): [string, number] => [new Date(now - i * 1000).toISOString(), i])
    await expectSeries(key, { 'd/m': rows.reverse() })
    expect(await usageOf(key)).toMatchObject({ batches: 20, datapoints: 20 })
  })
})

/** A way to the stack on which the first answer is lost. */
async function losingFirstAnswer() {
  const statuses: number[] = []
  const server = createServer(async (incoming, outgoing) => {
    const { authorization: _, ...headers } = incoming.headers
    const body = Buffer.concat(await incoming.toArray())
    const answer = await fetch(stack.url + incoming.url, {
      method: 'POST',
      headers: Object.entries(headers).flatMap(([name, value]): [string, string][] =>
        /^(x-api-key|content-type|content-encoding)$/.test(name) ? [[name, String(value)]] : [],
      ),
      body,
    })
    statuses.push(answer.status)
    if (statuses.length === 1) incoming.socket.destroy()
    else outgoing.writeHead(answer.status, { 'content-type': String(answer.headers.get('content-type')) })
    outgoing.end(new Uint8Array(await answer.arrayBuffer()))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, statuses, close: () => server.close() }
}

describe('the same points by JSON, line protocol and OTLP', () => {
  const now = Date.now()
  const fields: Record<string, [number, number][]> = {
    temperature: [71.25, -0.125, 1e-7, 123_456.789].map((value, i) => [now - 4_000 + i * 1_000, value]),
    starts: [3, 4, 2 ** 53].map((value, i) => [now - 3_333 + i, value]),
  }
  const device = 'pump-7'

  async function byJson(key: string): Promise<void> {
    const series = Object.entries(fields).map(([field, points]) => ({
      device,
      metric: `engine.${field}`,
      points,
    }))
    await call('/v1/ingest', { 'x-api-key': key }, { series })
  }

  async function byLineProtocol(key: string): Promise<void> {
    const write = new InfluxDB({ url: stack.url, token: key }).getWriteApi('org', 'bucket', 'ms', {
      maxRetries: 0,
    })
    for (const [field, points] of Object.entries(fields)) {
      for (const [ts, value] of points) {
        write.writePoint(new Point('engine').tag('device', device).floatField(field, value).timestamp(ts))
      }
    }
    await write.close()
  }

  const byOtlp = (Exporter: typeof JsonExporter | typeof ProtobufExporter) => async (key: string) => {
    const gauges = Object.entries(fields).map(([field, points]) => ({ name: `engine.${field}`, points }))
    const exporter = new Exporter({
      url: `${stack.url}/otlp/v1/metrics`,
      headers: { authorization: `Bearer ${key}` },
    })
    await new Promise<void>((resolve, reject) => {
      exporter.export(gaugesOf(device, gauges), ({ error }) => (error ? reject(error) : resolve()))
    })
  }

  const protocols = [byJson, byLineProtocol, byOtlp(JsonExporter), byOtlp(ProtobufExporter)]
  const expected = Object.fromEntries(
    Object.entries(fields).map(([field, points]): [string, [string, number][]] => [
      `${device}/engine.${field}`,
      points.map(([ts, value]) => [new Date(ts).toISOString(), value]),
    ]),
  )

  it('end in the same series with the same values', async () => {
    const keys = await Promise.all(protocols.map(makeKey))
    await Promise.all(protocols.map((send, i) => send(keys[i]!)))
    for (const key of keys) await expectSeries(key, expected)
  })

  it('are one series each where one tenant sends them all', async () => {
    const key = await makeKey()
    for (const send of protocols) await send(key)
    await vi.waitFor(async () => {
      const { batches_pending, last_batch_at } = await call<Record<string, unknown>>('/v1/status', {
        'x-api-key': key,
      })
      expect({ batches_pending, last_batch_at }).toEqual({
        batches_pending: 0,
        last_batch_at: expect.any(String),
      })
    }, patience)
    expect(await seriesOf(key)).toEqual(expected)
    expect(await usageOf(key)).toMatchObject({ batches: 4, datapoints: 28, duplicates: 0 })
  })
})
