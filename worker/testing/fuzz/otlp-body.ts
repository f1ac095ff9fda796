import fc from 'fast-check'
import { encodeOtlp } from '../../../telemetry/testing/otlp-encode.ts'
import { anyJson, list, mostly, name, object } from './json-text.ts'

/** Texts that are nearly OTLP exports in JSON, of the day before `now`, in epoch ms. */
export function nearlyOtlpJson(now: number): fc.Arbitrary<string> {
  const nanos = fc.nat(86_400).map((seconds) => `"${now - seconds * 1000}000000"`)
  const double = mostly(
    fc.double().map((n) => (Number.isFinite(n) ? String(n) : `"${n}"`)),
    anyJson,
  )
  const count = mostly(fc.nat(99).map(String), anyJson)
  const value = mostly(
    fc.constantFrom(
      '{"stringValue":"a"}',
      '{"intValue":"7"}',
      '{"arrayValue":{"values":[{"boolValue":true}]}}',
    ),
    anyJson,
  )
  const attributes = list(object({ key: name('device.id', 'site', '__proto__'), value }), 2)
  const timeUnixNano = mostly(nanos, anyJson)
  const number = object({ timeUnixNano, asDouble: double, attributes })
  const distribution = object({ timeUnixNano, count, sum: double, attributes })
  const data = fc.oneof(
    list(number, 4).map((points) => `"gauge":{"dataPoints":${points}}`),
    list(distribution, 4).map((points) => `"histogram":{"dataPoints":${points}}`),
  )
  const metric = fc
    .tuple(name('temperature', 'constructor'), name('Cel', ''), data)
    .map(([called, unit, held]) => `{"name":${called},"unit":${unit},${held}}`)
  const resource = object({ attributes })
  return object({
    resourceMetrics: list(
      object({ resource, scopeMetrics: list(object({ metrics: list(metric, 3) }), 2) }),
      2,
    ),
  })
}

/** OTLP exports in protobuf of the day before `now`, in epoch ms: all sound, until something is done to the bytes. */
export function otlpProtobuf(now: number): fc.Arbitrary<Uint8Array> {
  const text = fc.oneof(
    fc.constantFrom('device.id', 'site', 'pump-7', ''),
    fc.string({ unit: 'binary', maxLength: 9 }),
  )
  const value = fc.oneof(
    fc.record({ stringValue: text }),
    fc.record({ doubleValue: fc.double() }),
    fc.record({ boolValue: fc.boolean() }),
    fc.record({ kvlistValue: fc.record({ values: fc.array(fc.record({ key: text }), { maxLength: 2 }) }) }),
  )
  const attributes = fc.array(fc.record({ key: text, value }), { maxLength: 3 })
  const timeUnixNano = fc.nat(86_400).map((seconds) => `${now - seconds * 1000}000000`)
  const flags = fc.nat(1)
  const number = fc.record({ timeUnixNano, asDouble: fc.double(), attributes, flags })
  const distribution = fc.record({ timeUnixNano, count: fc.nat(9), sum: fc.double(), attributes, flags })
  const pointsOf = <T>(point: fc.Arbitrary<T>) => fc.record({ dataPoints: fc.array(point, { maxLength: 5 }) })
  const metric = fc.oneof(
    fc.record({ name: text, unit: text, gauge: pointsOf(number) }),
    fc.record({ name: text, sum: pointsOf(number) }),
    fc.record({ name: text, histogram: pointsOf(distribution) }),
    fc.record({ name: text, summary: pointsOf(distribution) }),
  )
  const scope = fc.record({ metrics: fc.array(metric, { maxLength: 4 }) })
  return fc
    .record({
      resourceMetrics: fc.array(
        fc.record({ resource: fc.record({ attributes }), scopeMetrics: fc.array(scope, { maxLength: 2 }) }),
        { maxLength: 2 },
      ),
    })
    .map(encodeOtlp)
}
