import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { BatchRows } from './batch-rows.ts'
import { type Portion, portionsOf, type Slice } from './portions.ts'

function rowsOf(devices: number, metricOf: number[]): BatchRows {
  const metrics = Math.max(-1, ...metricOf) + 1
  const many = (n: number) => Array.from({ length: n }, () => 0)
  const texts = (n: number) => Array.from({ length: n }, (_, i) => `name ${i}`)
  return {
    devices: { id: texts(devices), externalId: texts(devices), lastSeenMs: many(devices) },
    metrics: {
      ...{ id: texts(metrics), deviceId: texts(metrics), name: texts(metrics) },
      ...{ unit: texts(metrics).map(() => undefined), lastMs: many(metrics) },
    },
    datapoints: {
      metric: Int32Array.from(metricOf),
      ts: new Float64Array(metricOf.length),
      value: new Float64Array(metricOf.length),
      version: new Float64Array(metricOf.length),
    },
    repeated: { metric: [], windowStart: [] },
  }
}

const filled = (slices: Slice[]) => slices.filter(({ from, to }) => to > from)

test('every row is in exactly one portion, and what refers to it is in none before', () => {
  const metricOf = fc.array(fc.nat(5), { maxLength: 40 }).map((list) => list.sort((a, b) => a - b))
  fc.assert(
    fc.property(fc.nat(10), metricOf, fc.integer({ min: 1, max: 1000 }), (devices, metric, maxBytes) => {
      const rows = rowsOf(devices, metric)
      const portions = portionsOf(rows, maxBytes)
      const ends: Record<keyof Portion, number> = { devices: 0, metrics: 0, datapoints: 0 }
      for (const kind of ['devices', 'metrics', 'datapoints'] as const) {
        for (const { from, to } of filled(portions.map((portion) => portion[kind]))) {
          expect(from).toBe(ends[kind])
          ends[kind] = to
        }
      }
      expect(ends).toEqual({
        ...{ devices, metrics: rows.metrics.id.length, datapoints: metric.length },
      })
      const first = (kind: keyof Portion) => portions.findIndex((portion) => portion[kind].to > 0)
      const last = (kind: keyof Portion) => portions.findLastIndex((portion) => portion[kind].to > 0)
      if (metric.length > 0) expect(first('datapoints')).toBeGreaterThanOrEqual(last('metrics'))
      if (rows.metrics.id.length > 0) expect(first('metrics')).toBeGreaterThanOrEqual(last('devices'))
    }),
  )
})

test('no rows are one portion, so that the row of the batch is still written', () => {
  expect(portionsOf(rowsOf(0, []))).toHaveLength(1)
})
