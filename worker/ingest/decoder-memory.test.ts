import { afterAll, expect, test } from 'vitest'
import { encodeOtlp } from '../../telemetry/testing/otlp-encode.ts'
import { attributes, gauge, request } from '../../telemetry/testing/otlp-requests.ts'
import { bodyOf, type Recipe } from '../testing/fuzz/bodies.ts'
import { Decoder } from '../testing/fuzz/decoder.ts'
import { MAX_INFLATED_BYTES } from './read-body.ts'

const NOW = Date.UTC(2026, 0, 1)
const POINTS = '"points":[[1767225600000,2]]}]}'
/** Leaves room for what is around it. */
const TEXT_BYTES = MAX_INFLATED_BYTES - 4096

const decoder = new Decoder()
afterAll(() => decoder.stop())

/** As many items as a body may hold, if `count` is left out. */
const repeated = (head: string, item: string, tail: string, count?: number): Recipe['content'] => ({
  ...{ kind: 'repeated', head, item, tail },
  count: count ?? Math.floor((MAX_INFLATED_BYTES - head.length - tail.length) / item.length),
})

/** Attributes of a datapoint, in protobuf. */
const ofAttribute = (value: object): Recipe['content'] => ({
  kind: 'bytes',
  bytes: encodeOtlp(request(gauge({ attributes: attributes({ a: value }) }))),
})
/** Lists in lists, 127 in each. */
const lists = (depth: number): object => ({
  arrayValue: depth === 0 ? {} : { values: Array(127).fill(lists(depth - 1)) },
})
/** Hundreds of tags, each with a key of its own. */
const tags = Array.from({ length: 650 }, (_, i) => `,${i.toString(36)}=b`).join('')
const dataPoints =
  '{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m","gauge":{"dataPoints":[{"asInt":1,'

/*
 * Each took more than the heap of an isolate before there was a bound: what it is made of costs many times its bytes
 * in memory. The first was found by a campaign (seed 759682003).
 */
test.each<[what: string, content: Recipe['content'], wrap: Recipe['wrap'], outcome: string]>([
  [
    'a million series without points',
    repeated(
      '{"series":[',
      '{"device":"d#","metric":"m","points":[]},',
      `{"device":"d","metric":"m",${POINTS}`,
      990_925,
    ),
    'none',
    'json payload_too_large',
  ],
  [
    'a million empty lists of points in one series',
    repeated('{"series":[{"device":"d","metric":"m",', '"points":[],', POINTS),
    'gzip',
    'json payload_too_large',
  ],
  [
    'JSON objects within each other, each with a key of its own',
    repeated('{"series":[],"unknown":', '{"k#":', '', 599_990),
    'none',
    'json payload_too_large',
  ],
  [
    'lines of many tags',
    repeated('', `m${tags},zzz=# a=1 1767225600000\n`, ''),
    'none',
    'line-protocol nothing accepted',
  ],
  [
    'a line with a field key of escapes',
    repeated('m ', '\\,', '=1 1767225600000'),
    'gzip',
    'line-protocol nothing accepted',
  ],
  [
    'an attribute of commas, in JSON',
    repeated(`${dataPoints}"attributes":[{"key":"a","value":{"stringValue":"`, ',', '"}}]}]}}]}]}]}'),
    'none',
    'otlp-json nothing accepted',
  ],
  [
    'an attribute of commas, in protobuf',
    ofAttribute({ stringValue: ','.repeat(TEXT_BYTES) }),
    'none',
    'otlp-protobuf nothing accepted',
  ],
  [
    'an attribute with a list of control characters',
    ofAttribute({ arrayValue: { values: [{ stringValue: '\u0001'.repeat(TEXT_BYTES) }] } }),
    'gzip',
    'otlp-protobuf nothing accepted',
  ],
  ['an attribute of two million lists', ofAttribute(lists(3)), 'none', 'otlp-protobuf nothing accepted'],
  [
    'an attribute of bytes',
    ofAttribute({ bytesValue: Buffer.alloc(TEXT_BYTES, 7) }),
    'none',
    'otlp-protobuf nothing accepted',
  ],
])(
  '%s is decoded, or refused, in the memory of an isolate',
  async (_, content, wrap, outcome) => {
    expect(await decoder.decode(bodyOf({ content, edits: [], wrap }), NOW)).toContain(outcome)
  },
  60_000,
)
