import { expect, test, vi } from 'vitest'
import { BLOBS, DOUBLES, type MetricPoint, measure, metricPoint } from './metric-point.ts'

const stored = {
  ...{ kind: 'store' as const, tenantId: 't', outcome: 'persisted', detail: 'd' },
  ...{ batches: 1, datapoints: 2, rejected: 3, bytes: 4, durationMs: 5, lagMs: 6, oldestPendingMs: 7 },
  windows: 8,
}

test('every figure has its column, in the order that queries name', () => {
  expect(metricPoint(stored)).toEqual({
    indexes: ['t'],
    blobs: ['store', 'persisted', 'd'],
    doubles: [1, 2, 3, 4, 5, 6, 7, 8],
  })
})

test('what is not measured is 0 or empty, so that columns never move', () => {
  const { blobs, doubles } = metricPoint({ kind: 'ingest', tenantId: 't', outcome: 'invalid_json' })
  expect(blobs).toEqual(['ingest', 'invalid_json', ''])
  expect(doubles).toEqual(DOUBLES.map(() => 0))
})

test('the engine takes it: at most twenty columns of a kind, and an index of at most 96 bytes', () => {
  expect(BLOBS.length).toBeLessThanOrEqual(20)
  expect(DOUBLES.length).toBeLessThanOrEqual(20)
  const { indexes } = metricPoint({ ...stored, tenantId: crypto.randomUUID() })
  expect(indexes[0].length).toBeLessThanOrEqual(96)
})

test('nothing fails for want of a measurement', () => {
  const broken = {
    writeDataPoint: vi.fn((_: MetricPoint) => {
      throw new Error('no more than 250 in an invocation')
    }),
  }
  measure(broken, stored)
  expect(broken.writeDataPoint).toHaveBeenCalledOnce()
  measure(undefined, stored)
})
