import { runDurableObjectAlarm } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, expect, test, vi } from 'vitest'
import type { MetricPoint } from '../telemetry/metric-point.ts'
import { batchMessage, consume, persisted, withoutQueue } from './testing/consume.ts'
import { createTenant, request, seriesBatch, type TestTenant } from './testing/tenant.ts'

// The local binding takes measurements and keeps none, so what is written is listened to.
const written = () =>
  vi.spyOn(Object.getPrototypeOf(env.METRICS), 'writeDataPoint').mock.calls.map(([point]) => point)

/** Written for a tenant, as [kind, outcome, detail, ...doubles]. */
function rowsOf(tenant: TestTenant, kind: string): (string | number)[][] {
  const points = written() as MetricPoint[]
  return points
    .filter(({ indexes, blobs }) => indexes[0] === tenant.id && blobs[0] === kind)
    .map(({ blobs, doubles }) => [...blobs, ...doubles])
}

const ANY = expect.any(Number)

afterEach(() => {
  vi.restoreAllMocks()
})

test('the binding takes a measurement', () => {
  expect(() => env.METRICS.writeDataPoint({ indexes: ['t'], blobs: ['ingest'], doubles: [1] })).not.toThrow()
})

test('a request is one measurement: what became of it, how many, how large', async () => {
  const tenant = await createTenant()
  written()
  const future = Date.now() + 3_600_000
  const batch = seriesBatch('b-1', 10)
  batch.series[0]!.points.push([future, 1])
  const raw = JSON.stringify(batch)
  const ingest = () => tenant.ingest(undefined, { raw })
  expect([(await ingest()).status, (await ingest()).status]).toEqual([202, 200])
  const figures = ['/v1/ingest', 1, 10, 1, raw.length, ANY, 0, 0, 0]
  expect(rowsOf(tenant, 'ingest')).toEqual([
    ['ingest', 'accepted', ...figures],
    ['ingest', 'duplicate', ...figures],
  ])
})

test('a refused one tells the code, and its size where it was read', async () => {
  const tenant = await createTenant({ scopes: ['read'] })
  const writer = await createTenant()
  written()
  await tenant.ingest(seriesBatch('b-1'))
  await writer.ingest(undefined, { raw: '{"nothing":' })
  await writer.ingest(undefined, { raw: 'x', headers: { 'content-type': 'text/plain' } })
  expect(rowsOf(tenant, 'ingest')).toEqual([
    ['ingest', 'insufficient_scope', '/v1/ingest', 1, 0, 0, ANY, ANY, 0, 0, 0],
  ])
  expect(rowsOf(writer, 'ingest')).toEqual([
    ['ingest', 'invalid_json', '/v1/ingest', 1, 0, 0, 11, ANY, 0, 0, 0],
    ['ingest', 'unsupported_media_type', '/v1/ingest', 1, 0, 0, 0, ANY, 0, 0, 0],
  ])
})

test('other protocols are measured under their routes', async () => {
  const tenant = await createTenant()
  written()
  await request('/api/v2/write', {
    method: 'POST',
    headers: { authorization: `Token ${tenant.key}`, 'content-type': 'text/plain' },
    body: 'engine,device=pump-7 temperature=71.3',
  })
  await request('/otlp/v1/metrics', {
    method: 'POST',
    headers: { 'x-api-key': tenant.key, 'content-type': 'application/json' },
    body: '{"resourceMetrics":3}',
  })
  expect(rowsOf(tenant, 'ingest').map((row) => row.slice(0, 5))).toEqual([
    ['ingest', 'accepted', '/api/v2/write', 1, 1],
    ['ingest', 'validation_failed', '/otlp/v1/metrics', 1, 0],
  ])
})

test('a request is served all the same when the engine fails', async () => {
  const tenant = await createTenant()
  vi.spyOn(Object.getPrototypeOf(env.METRICS), 'writeDataPoint').mockImplementation(() => {
    throw new Error('the engine is away')
  })
  expect((await tenant.ingest(seriesBatch('b-1'))).status).toBe(202)
  await persisted(tenant, 'b-1')
})

test('batches on their way to Postgres tell how many they are and how long they took since their 202', async () => {
  const tenant = await createTenant()
  await withoutQueue(async () => {
    await tenant.ingest(seriesBatch('b-1', 10))
    await tenant.ingest(seriesBatch('b-2', 5))
  })
  written()
  await consume('edgepulse-batches', [batchMessage(tenant, 'b-1'), batchMessage(tenant, 'b-2')])
  const [row, ...others] = rowsOf(tenant, 'store')
  expect(others).toEqual([])
  expect(row).toEqual(['store', 'persisted', '', 2, 15, 0, 0, ANY, ANY, 0, 0])
  expect(row?.[8]).toBeGreaterThan(0)
})

test('one that cannot be stored is told as such', async () => {
  const tenant = await createTenant()
  written()
  await consume('edgepulse-batches', [batchMessage(tenant, 'never-sent')])
  expect(rowsOf(tenant, 'store')).toEqual([['store', 'failed', '', 1, 0, 0, 0, 0, 0, 0, 0]])
})

test('a shard at work tells what waits in its outbox and for how long; reading it has its price', async () => {
  const tenant = await createTenant()
  await withoutQueue(() => tenant.ingest(seriesBatch('b-1', 10)))
  written()
  const shard = env.TENANT_SHARD.getByName(`${tenant.id}/0`)
  await new Promise((resolve) => setTimeout(resolve, 5)) // an age, not a wait for anything
  await runDurableObjectAlarm(shard)
  const [row] = rowsOf(tenant, 'shard')
  expect(row).toEqual(['shard', 'pending', '0', 1, 0, 0, 0, 0, 0, ANY, 0])
  expect(row?.[9]).toBeGreaterThan(0)
  await runDurableObjectAlarm(shard)
  expect(rowsOf(tenant, 'shard')).toHaveLength(1)
})

test('a flush on its way to Postgres tells its size and its windows', async () => {
  const tenant = await createTenant()
  const batch = seriesBatch('b-1', 10)
  batch.series[0]!.points.unshift([Date.now() - 1_200_000, 1])
  written()
  await tenant.ingest(batch)
  await runDurableObjectAlarm(env.TENANT_SHARD.getByName(`${tenant.id}/0`))
  await vi.waitFor(() => expect(rowsOf(tenant, 'windows')).not.toEqual([]), { timeout: 20_000 })
  const [row] = rowsOf(tenant, 'windows')
  expect(row).toEqual(['windows', 'persisted', '0', 0, 0, 0, ANY, ANY, 0, 0, 1])
  expect(row?.[6]).toBeGreaterThan(100)
})
