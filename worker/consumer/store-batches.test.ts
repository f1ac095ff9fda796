import { neon, neonConfig } from '@neondatabase/serverless'
import { afterEach, expect, test } from 'vitest'
import type { LoadedBatch } from '../../telemetry/batch-rows.ts'
import { groupBySeries } from '../../telemetry/columns.ts'
import { batchBytes, MAX_TRANSACTION_BYTES } from '../../telemetry/portions.ts'
import { storeBatches } from './store-batches.ts'

/* Against the real driver, so that what is measured is what goes over the wire. */

const TENANT = '0f8fad5b-d9cb-469f-a165-70867728950e'
const NEON_TAKES_BYTES = 10 * 1024 * 1024

afterEach(() => {
  neonConfig.fetchFunction = undefined
})

function batchOf(count: number, point: (i: number) => [device: string, metric: string, value: number]) {
  const points = Array.from({ length: count }, (_, i) => point(i))
  const body = {
    names: points.map(([device, metric]) => ({ device, metric, unit: '"C"' })),
    seriesOf: Uint32Array.from(points.keys()),
    ts: Float64Array.from(points, (_, i) => Date.UTC(2026, 0, 1) + i),
    values: Float64Array.from(points, ([, , value]) => value),
  }
  const { columns } = groupBySeries(body)
  return { batchId: 'b', r2Key: `raw/${TENANT}/b`, shard: 0, receivedAt: 1, rejected: 0, columns }
}

/** The bodies that storing sends. */
async function sent(batches: LoadedBatch[]): Promise<string[]> {
  const bodies: string[] = []
  neonConfig.fetchFunction = async (_url: string, { body }: { body: string }) => {
    bodies.push(body)
    const { queries } = JSON.parse(body)
    return Response.json({ results: queries.map(() => ({ fields: [], rows: [] })) })
  }
  await storeBatches(neon('postgresql://u:p@host.test/db'), TENANT, batches, 1)
  return bodies
}

test.each<[string, LoadedBatch]>([
  ['a device each', batchOf(50_000, (i) => [`device-${i}`, 'temperature', 1 / 3])],
  ['a metric each', batchOf(50_000, (i) => ['d', `metric-${i}`, -1 / 3e300])],
  [
    'names that double twice when escaped',
    batchOf(20_000, (i) => ['"\\'.repeat(60) + i, '"'.repeat(100), 0]),
  ],
  ['names outside of ASCII', batchOf(20_000, (i) => ['🌡'.repeat(120) + i, '温'.repeat(120), 0])],
])('a batch of many series with %s goes out in pieces that Neon takes', async (_, batch) => {
  const bodies = await sent([batch])
  expect(bodies.length).toBeGreaterThan(1)
  for (const body of bodies) {
    expect(Buffer.byteLength(body)).toBeLessThan(MAX_TRANSACTION_BYTES + 10_000)
    expect(Buffer.byteLength(body)).toBeLessThan(NEON_TAKES_BYTES)
  }
  const last = bodies.findIndex((body) => body.includes('insert into batches'))
  expect(last).toBe(bodies.length - 1)
})

test('what a batch is said to add to a transaction is at least what it adds', async () => {
  for (const count of [1, 100, 10_000]) {
    const batch = batchOf(count, (i) => [`device-${i % 7}`, `m-${i}`, Math.PI * 1e-200])
    const [body, ...more] = await sent([batch])
    expect(more).toEqual([])
    const statements = 6_000
    expect(Buffer.byteLength(body ?? '')).toBeLessThan(batchBytes(batch.columns) + statements)
  }
})

test('a small batch is one transaction', async () => {
  const bodies = await sent([batchOf(10, (i) => ['d', `m${i}`, i])])
  expect(bodies).toHaveLength(1)
})
