import { ValueType } from '@opentelemetry/api'
import { JsonMetricsSerializer, ProtobufMetricsSerializer } from '@opentelemetry/otlp-transformer'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  AggregationTemporality,
  DataPointType,
  type MetricData,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BatchRefusal } from './batch-refusal.ts'
import { parseOtlpJson } from './otlp-json.ts'
import { parseOtlpProtobuf } from './otlp-protobuf.ts'
import type { ParsedBatch } from './parsed-batch.ts'

const ARRIVAL = 5
const parseJsonBytes = (bytes: Uint8Array) => parseOtlpJson(bytes, ARRIVAL)
const parseProtobuf = (bytes: Uint8Array) => parseOtlpProtobuf(bytes, ARRIVAL)

const name = fc.string({ unit: fc.constantFrom(...'abzÄ温🛢 ,="\'#.:/\\'), minLength: 1, maxLength: 8 })
const double = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0)
/** The exporters write numbers that are integers as `intValue`; in JSON they lose digits beyond doubles. */
const attribute = fc.oneof(
  name,
  fc.boolean(),
  fc.maxSafeInteger(),
  double.filter((value) => !Number.isInteger(value)),
)
const attributes = fc.dictionary(name, attribute, { maxKeys: 3 })
/** Seconds and nanoseconds, as the SDK has times. */
const hrTime = fc.tuple(fc.integer({ min: 1, max: 4_000_000_000 }), fc.nat(999_999_999))

const point = <T>(value: fc.Arbitrary<T>) =>
  fc.record({ startTime: hrTime, endTime: hrTime, attributes, value })
const distribution = {
  count: fc.maxSafeInteger().map(Math.abs),
  sum: fc.option(double, { nil: undefined }),
  min: fc.option(double, { nil: undefined }),
}
const histogram = fc.record({
  ...distribution,
  buckets: fc.constant({ boundaries: [1, 2], counts: [0, 1, 2] }),
})
const exponential = fc.record({
  ...distribution,
  scale: fc.integer({ min: -10, max: 20 }),
  zeroCount: fc.nat(),
  positive: fc.constant({ offset: -3, bucketCounts: [1, 300] }),
  negative: fc.constant({ offset: 0, bucketCounts: [] }),
})

const metric = <T>(dataPointType: DataPointType, valueType: ValueType, value: fc.Arbitrary<T>) =>
  fc.record({
    descriptor: fc.record({
      ...{
        name,
        description: fc.string(),
        unit: fc.oneof(fc.constant(''), name),
        valueType: fc.constant(valueType),
      },
    }),
    dataPointType: fc.constant(dataPointType),
    aggregationTemporality: fc.constantFrom(AggregationTemporality.DELTA, AggregationTemporality.CUMULATIVE),
    isMonotonic: fc.boolean(),
    dataPoints: fc.array(point(value), { maxLength: 4 }),
  })
const anyMetric = fc.oneof(
  metric(DataPointType.GAUGE, ValueType.DOUBLE, double),
  metric(DataPointType.GAUGE, ValueType.INT, fc.maxSafeInteger()),
  metric(DataPointType.SUM, ValueType.DOUBLE, double),
  metric(DataPointType.HISTOGRAM, ValueType.DOUBLE, histogram),
  metric(DataPointType.EXPONENTIAL_HISTOGRAM, ValueType.DOUBLE, exponential),
)

const exported = fc
  .record({
    device: fc.option(name, { nil: undefined }),
    metrics: fc.array(fc.array(anyMetric, { maxLength: 3 }), { maxLength: 3 }),
  })
  .map(({ device, metrics }) => ({
    resource: resourceFromAttributes({
      'service.name': 'test',
      ...(device !== undefined && { 'device.id': device }),
    }),
    scopeMetrics: metrics.map((each) => ({ scope: { name: 'scope' }, metrics: each as MetricData[] })),
  }))

/** What the datapoints of an export mean, in words of its own. */
function expectedRows({ resource, scopeMetrics }: ResourceMetrics) {
  const device = String(resource.attributes['device.id'] ?? 'default')
  return scopeMetrics.flatMap(({ metrics }) =>
    metrics.flatMap(({ descriptor, dataPoints }) =>
      dataPoints.flatMap(({ endTime: [seconds, nanoseconds], attributes: of, value }) => {
        const escaped = (text: string) => text.replace(/[,=]/g, '\\$&')
        const suffix = Object.entries(of)
          .map(([key, each]) => [key, String(each)] as const)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([key, text]) => `,${escaped(key)}=${escaped(text)}`)
        const row = (part: string, number: number) => {
          const ts = seconds * 1000 + Math.floor(nanoseconds / 1e6)
          return { device, metric: descriptor.name + part + suffix.join(''), ts, value: number }
        }
        if (typeof value === 'number') return [row('', value)]
        const { count, sum } = value as { count: number; sum?: number }
        return [row('.count', count), ...(sum === undefined ? [] : [row('.sum', sum)])]
      }),
    ),
  )
}

const rowsOf = ({ names, seriesOf, ts, values }: ParsedBatch) =>
  Array.from(ts, (time, i) => {
    const { device, metric } = names[seriesOf[i]!]!
    return { device, metric, ts: time, value: values[i] }
  })

test('what the exporters write comes back as it was meant, the same in both encodings', () => {
  fc.assert(
    fc.property(exported, (sent) => {
      const json = parseJsonBytes(JsonMetricsSerializer.serializeRequest(sent)!)
      const protobuf = parseProtobuf(ProtobufMetricsSerializer.serializeRequest(sent)!)
      expect(rowsOf(json)).toEqual(expectedRows(sent))
      const { pathOf, ...columns } = json
      expect(protobuf).toEqual({ ...columns, pathOf: expect.any(Function) })
      expect(json.unstorable).toEqual([])
      json.ts.forEach((_, i) => {
        expect(protobuf.pathOf(i)).toBe(pathOf(i))
      })
    }),
    { numRuns: 500 },
  )
})

/** Refused or read; and then every datapoint has a series or a reason why not. */
function expectSane(parse: () => ParsedBatch): void {
  let batch: ParsedBatch
  try {
    batch = parse()
  } catch (error) {
    expect(error).toBeInstanceOf(BatchRefusal)
    return
  }
  const { names, seriesOf, ts, values, nulls, unstorable = [], pathOf } = batch
  expect([seriesOf.length, values.length]).toEqual([ts.length, ts.length])
  const dropped = new Set([...nulls, ...unstorable.map(({ ordinal }) => ordinal)])
  expect(dropped.size).toBe(nulls.length + unstorable.length)
  ts.forEach((time, i) => {
    expect(pathOf(i)).toMatch(
      /^resourceMetrics\[\d+\]\.scopeMetrics\[\d+\]\.metrics\[\d+\]\.\w+\.dataPoints\[\d+\]$/,
    )
    if (!dropped.has(i)) expect(names[seriesOf[i]!]).toBeDefined()
    expect([time, values[i]].every(Number.isFinite)).toBe(true)
  })
  expect(new Set(names.map(({ device, metric }) => `${device}\0${metric}`)).size).toBe(names.length)
}

/** Bytes put in the place of others. */
const edit = fc.record({ at: fc.nat(), drop: fc.nat(4), put: fc.uint8Array({ maxLength: 4 }) })

function edited(bytes: Uint8Array, edits: { at: number; drop: number; put: Uint8Array }[]): Uint8Array {
  return edits.reduce((result, { at, drop, put }) => {
    const from = at % (result.length + 1)
    return Uint8Array.from([...result.subarray(0, from), ...put, ...result.subarray(from + drop)])
  }, bytes)
}

test('no bytes make it fail', () => {
  fc.assert(
    fc.property(exported, fc.array(edit, { minLength: 1, maxLength: 4 }), (sent, edits) => {
      const bytes = edited(ProtobufMetricsSerializer.serializeRequest(sent)!, edits)
      expectSane(() => parseProtobuf(bytes))
    }),
    { numRuns: 2_000 },
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => expectSane(() => parseProtobuf(bytes))),
    { numRuns: 1_000 },
  )
})

const KEYS = [
  'resourceMetrics',
  'scopeMetrics',
  'metrics',
  'gauge',
  'histogram',
  'dataPoints',
  'attributes',
  'key',
]
  .concat(
    'value',
    'name',
    'unit',
    'asDouble',
    'asInt',
    'timeUnixNano',
    'count',
    'sum',
    'flags',
    'stringValue',
  )
  .concat('resource', 'arrayValue', 'values', 'kvlistValue')
const anything = fc.anything({ key: fc.constantFrom(...KEYS), maxDepth: 9, withNullPrototype: false })

test('no JSON makes it fail', () => {
  fc.assert(
    fc.property(
      exported,
      fc.array(fc.tuple(fc.nat(), anything), { minLength: 1, maxLength: 3 }),
      (sent, changes) => {
        const request: unknown = JSON.parse(
          new TextDecoder().decode(JsonMetricsSerializer.serializeRequest(sent)),
        )
        const text = JSON.stringify(
          changes.reduce((value, [at, other]) => replaced(value, at, other), request),
        )
        expectSane(() => parseOtlpJson(new TextEncoder().encode(text ?? 'null'), ARRIVAL))
      },
    ),
    { numRuns: 2_000 },
  )
})

/** A value with the one replaced that comes at `at` in it. */
function replaced(value: unknown, at: number, other: unknown): unknown {
  let left = at % (1 + (JSON.stringify(value)?.match(/[:[,]/g)?.length ?? 0))
  return JSON.parse(
    JSON.stringify(value, (_, each) => {
      left -= 1
      return left === -1 ? other : each
    }) ?? 'null',
  )
}
