import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import { describe, expect, test } from 'vitest'
import { BatchRefusal } from './batch-refusal.ts'
import { parseOtlpProtobuf } from './otlp-protobuf.ts'
import { encodeOtlp } from './testing/otlp-encode.ts'
import { withLists } from './testing/otlp-requests.ts'

const parse = (bytes: Uint8Array) => withLists(parseOtlpProtobuf(bytes, 5))

/** A message of fields that are messages, strings or bytes. */
function message(...fields: [field: number, value: Uint8Array | string][]): Uint8Array {
  const writer = new BinaryWriter()
  for (const [field, value] of fields) {
    writer.tag(field, WireType.LengthDelimited)
    if (typeof value === 'string') writer.string(value)
    else writer.bytes(value)
  }
  return writer.finish()
}

const bytes = (...all: (Uint8Array | number)[]) =>
  Uint8Array.from(all.flatMap((each) => (typeof each === 'number' ? [each] : [...each])))

/** A request, from the inside out. */
const ofMetric = (metric: Uint8Array) => message([1, message([2, message([2, metric])])])
const ofPoint = (point: Uint8Array) => ofMetric(message([1, 'm'], [5, message([1, point])]))
const AS_INT_7 = bytes(0x31, 7, 0, 0, 0, 0, 0, 0, 0)

const nested = (depth: number): Uint8Array =>
  depth === 0 ? message([1, 'x']) : message([5, message([1, nested(depth - 1)])])

describe('OTLP in protobuf that cannot be decoded', () => {
  test.each<[string, Uint8Array]>([
    ['JSON', new TextEncoder().encode('{"resourceMetrics":[]}')],
    ['a tag without a value', bytes(0x0a)],
    ['a tag that does not end', bytes(0x8a)],
    ['a number of more than ten bytes', bytes(...Array(12).fill(0xff))],
    ['a length beyond the end', bytes(0x0a, 5, 0)],
    ['a length of four gigabytes', bytes(0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f)],
    ['a message longer than the one that holds it', bytes(message([1, bytes(0x12, 9)]), AS_INT_7)],
    ['text longer than the message that holds it', bytes(ofMetric(bytes(0x0a, 9)), AS_INT_7)],
    ['a field of number 0', bytes(0x02, 0)],
    ['a group', bytes(0x7b, 0x7c)],
    ['groups in groups', bytes(...Array(100_000).fill(0x7b))],
    ['a type of value that there is none of', bytes(0x7f)],
    ['a list of messages written as a number', bytes(0x08, 1)],
    ['a value written as another type', ofPoint(bytes(0x20, 1))],
    ['a time written as another type', ofPoint(bytes(0x18, 1))],
    ['an integer that ends too early', ofPoint(AS_INT_7.subarray(0, 8))],
    ['a value in the place of a sum', ofMetric(message([9, message([1, bytes(0x2d, 0, 0, 0, 0)])]))],
    ['an attribute that ends too early', ofPoint(message([7, bytes(0x0a, 3, 0x61)]))],
    ['an attribute whose value is none', ofPoint(message([7, message([2, bytes(0x0d, 0, 0, 0, 0)])]))],
    ['values that nest too deep', ofPoint(message([7, message([2, nested(17)])]))],
    ['values that nest very deep', ofPoint(message([7, message([2, nested(2_000)])]))],
  ])('%s', (_, body) => {
    expect(() => parse(body)).toThrow(BatchRefusal)
    expect(() => parse(body)).toThrow(
      expect.objectContaining({ code: 'validation_failed', faults: [expect.objectContaining({})] }),
    )
  })

  test('is told with the place in the body', () => {
    expect(() => parse(bytes(0x0a, 5, 0))).toThrow(
      expect.objectContaining({ faults: [{ path: 'byte 2', message: expect.any(String) }] }),
    )
  })

  const point = {
    timeUnixNano: '1767225600000000000',
    asDouble: 1,
    attributes: [{ key: 'a', value: { intValue: '1' } }],
  }
  const whole = encodeOtlp({
    resourceMetrics: [
      {
        resource: { attributes: [{ key: 'host.name', value: { stringValue: 'h' } }] },
        scopeMetrics: [{ metrics: [{ name: 'm', unit: 'C', gauge: { dataPoints: [point] } }] }],
      },
    ],
  })
  test.each(Array.from({ length: whole.length - 1 }, (_, i) => i + 1))(
    'the first %d bytes of a body',
    (length) => {
      expect(() => parse(whole.subarray(0, length))).toThrow(BatchRefusal)
    },
  )
})

describe('OTLP in protobuf', () => {
  test('may have its fields in any order', () => {
    const attribute = message([2, message([1, 'h'])], [1, 'host.name'])
    const data = message([
      1,
      bytes(message([7, message([1, 'a'])]), AS_INT_7, message([7, message([1, 'b'])])),
    ])
    const metric = message([5, data], [3, 'C'], [1, 'm'])
    const { names, values } = parse(
      message([1, message([2, message([2, metric])], [1, message([1, attribute])])]),
    )
    expect({ names, values }).toEqual({ names: [{ device: 'h', metric: 'm,a=,b=', unit: 'C' }], values: [7] })
  })

  test('may have fields nobody knows, of any type and number', () => {
    const unknown = bytes(
      0x78,
      0xff,
      0x01,
      0x79,
      ...Array(8).fill(1),
      0x7a,
      2,
      1,
      1,
      0x7d,
      1,
      1,
      1,
      1,
      0x82,
      0x7d,
      1,
      1,
    )
    const point = bytes(
      unknown,
      AS_INT_7,
      unknown,
      message([7, bytes(unknown, message([1, 'a']), unknown)]),
      unknown,
    )
    const metric = bytes(unknown, message([1, 'm'], [5, bytes(unknown, message([1, point]))]), unknown)
    const body = bytes(
      unknown,
      message([1, bytes(unknown, message([2, bytes(unknown, message([2, metric]))]))]),
      unknown,
    )
    const { names, values } = parse(body)
    expect({ names, values }).toEqual({
      names: [{ device: 'default', metric: 'm,a=', unit: null }],
      values: [7],
    })
  })

  test('may have a message in parts, which belong together', () => {
    const gauge = message([1, AS_INT_7])
    expect(parse(ofMetric(message([5, gauge], [1, 'm'], [5, gauge]))).values).toEqual([7, 7])
  })

  test('may hold names that are not UTF-8, which reject their datapoints alone', () => {
    const metric = (name: Uint8Array) => message([2, message([1, name], [5, message([1, AS_INT_7])])])
    const scope = bytes(metric(bytes(0x61, 0xff)), metric(bytes(0x62)))
    expect(parse(message([1, message([2, scope])]))).toMatchObject({
      names: [{ metric: 'b' }],
      unstorable: [{ ordinal: 0, code: 'invalid_name' }],
    })
  })

  test('may be empty', () => {
    expect(parse(new Uint8Array()).ts).toEqual([])
  })
})

/** Repeats `part` to about a number of bytes. */
const fill = (size: number, part: Uint8Array) => {
  const filled = new Uint8Array(Math.floor(size / part.length) * part.length)
  for (let at = 0; at < filled.length; at += part.length) filled.set(part, at)
  return filled
}

test.each<[string, (size: number) => Uint8Array]>([
  ['empty resources', (size) => fill(size, bytes(0x0a, 0))],
  ['empty metrics', (size) => message([1, message([2, fill(size, bytes(0x12, 0))])])],
  [
    'metrics without datapoints',
    (size) => message([1, message([2, fill(size, message([2, message([5, ''])]))])]),
  ],
  ['one kind of data over and over', (size) => ofMetric(fill(size, bytes(0x2a, 0)))],
  [
    'attributes of a resource',
    (size) => message([1, message([1, fill(size, message([1, message([1, 'host.name'])]))])]),
  ],
  ['attributes of a datapoint', (size) => ofPoint(fill(size, bytes(0x3a, 0)))],
  [
    'a list in an attribute',
    (size) => ofPoint(message([7, message([2, message([5, fill(size, bytes(0x0a, 0))])])])),
  ],
  ['a name', (size) => ofMetric(message([1, fill(size, bytes(0x61))], [5, message([1, AS_INT_7])]))],
  [
    'a name with many datapoints',
    (size) => ofMetric(message([1, fill(size / 2, bytes(0x61))], [5, fill(400_000, message([1, AS_INT_7]))])),
  ],
  ['unknown numbers', (size) => fill(size, bytes(0x78, 0xff, 0xff, 0x01))],
  ['a number without end', (size) => fill(size, bytes(0xff))],
])('megabytes of %s are read in a moment', (_, bodyOf) => {
  const body = bodyOf(4_000_000)
  const began = performance.now()
  try {
    parse(body)
  } catch (error) {
    expect(error).toBeInstanceOf(BatchRefusal)
  }
  expect(performance.now() - began).toBeLessThan(3_000) // what is quadratic takes hours
})
