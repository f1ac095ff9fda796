import { describe, expect, test } from 'vitest'
import type { BatchRefusal } from './batch-refusal.ts'
import { parseOtlpJson } from './otlp-json.ts'
import { withLists } from './testing/otlp-requests.ts'

const parse = (body: unknown) => withLists(parseOtlpJson(new TextEncoder().encode(JSON.stringify(body)), 5))

function refusalOf(work: () => unknown): BatchRefusal {
  try {
    work()
  } catch (error) {
    return error as BatchRefusal
  }
  throw new Error('it was not refused')
}

const METRIC = 'resourceMetrics[0].scopeMetrics[0].metrics[0]'
const POINT = `${METRIC}.gauge.dataPoints[0]`
const ofMetric = (metric: unknown) => ({ resourceMetrics: [{ scopeMetrics: [{ metrics: [metric] }] }] })
const ofPoint = (point: unknown) => ofMetric({ name: 'm', gauge: { dataPoints: [point] } })
const nested = (depth: number): object =>
  depth === 0 ? { stringValue: 'x' } : { arrayValue: { values: [nested(depth - 1)] } }

describe('OTLP in JSON that cannot be decoded', () => {
  test.each<[string, unknown]>([
    ['', []],
    ['', null],
    ['resourceMetrics', { resourceMetrics: {} }],
    ['resourceMetrics[1]', { resourceMetrics: [{}, null] }],
    ['resourceMetrics[0].resource', { resourceMetrics: [{ resource: 'x' }] }],
    ['resourceMetrics[0].resource.attributes', { resourceMetrics: [{ resource: { attributes: {} } }] }],
    ['resourceMetrics[0].resource.attributes[0]', { resourceMetrics: [{ resource: { attributes: ['x'] } }] }],
    ['resourceMetrics[0].scopeMetrics', { resourceMetrics: [{ scopeMetrics: 1 }] }],
    ['resourceMetrics[0].scopeMetrics[0]', { resourceMetrics: [{ scopeMetrics: [1] }] }],
    [
      'resourceMetrics[0].scopeMetrics[0].metrics',
      { resourceMetrics: [{ scopeMetrics: [{ metrics: 'x' }] }] },
    ],
    [METRIC, ofMetric('x')],
    [METRIC, ofMetric({ gauge: {}, sum: {} })],
    [`${METRIC}.name`, ofMetric({ name: 1, gauge: {} })],
    [`${METRIC}.unit`, ofMetric({ name: 'm', unit: 1, gauge: {} })],
    [`${METRIC}.sum`, ofMetric({ name: 'm', sum: [] })],
    [`${METRIC}.summary.dataPoints`, ofMetric({ name: 'm', summary: { dataPoints: {} } })],
    [POINT, ofPoint([])],
    [`${POINT}.timeUnixNano`, ofPoint({ timeUnixNano: '2026-01-01T00:00:00Z' })],
    [`${POINT}.timeUnixNano`, ofPoint({ timeUnixNano: '-1' })],
    [`${POINT}.timeUnixNano`, ofPoint({ timeUnixNano: -1 })],
    [`${POINT}.timeUnixNano`, ofPoint({ timeUnixNano: 1.5 })],
    [`${POINT}.timeUnixNano`, ofPoint({ timeUnixNano: '' })],
    [`${POINT}.timeUnixNano`, ofPoint({ timeUnixNano: '1'.repeat(21) })],
    [`${POINT}.asDouble`, ofPoint({ asDouble: '1,5' })],
    [`${POINT}.asDouble`, ofPoint({ asDouble: '' })],
    [`${POINT}.asDouble`, ofPoint({ asDouble: true })],
    [`${POINT}.asInt`, ofPoint({ asInt: 1.5 })],
    [`${POINT}.asInt`, ofPoint({ asInt: '1.5' })],
    [`${POINT}.flags`, ofPoint({ flags: 'x' })],
    [`${POINT}.attributes`, ofPoint({ attributes: { a: 1 } })],
    [`${POINT}.attributes[1]`, ofPoint({ attributes: [{ key: 'a' }, { key: 1 }] })],
    ...[
      { stringValue: 1 },
      { boolValue: 'x' },
      { intValue: 1.5 },
      { doubleValue: 'x' },
      { bytesValue: 1 },
    ].map((value): [string, unknown] => [
      `${POINT}.attributes[0]`,
      ofPoint({ attributes: [{ key: 'a', value }] }),
    ]),
    ...[
      { arrayValue: [] },
      { arrayValue: { values: ['x'] } },
      { kvlistValue: { values: [{ key: 1 }] } },
      'x',
    ].map((value): [string, unknown] => [
      `${POINT}.attributes[0]`,
      ofPoint({ attributes: [{ key: 'a', value }] }),
    ]),
    [`${POINT}.attributes[0]`, ofPoint({ attributes: [{ key: 'a', value: nested(17) }] })],
    [
      `${METRIC}.histogram.dataPoints[0].count`,
      ofMetric({ name: 'm', histogram: { dataPoints: [{ count: '-1' }] } }),
    ],
    [
      `${METRIC}.histogram.dataPoints[0].sum`,
      ofMetric({ name: 'm', histogram: { dataPoints: [{ sum: {} }] } }),
    ],
  ])('names %j', (path, body) => {
    const { code, faults } = refusalOf(() => parse(body))
    expect({ code, paths: faults.map((fault) => fault.path) }).toEqual({
      code: 'validation_failed',
      paths: [path],
    })
  })

  test('names all faults, and no more than 20', () => {
    const points = (n: number) =>
      ofMetric({ name: 'm', gauge: { dataPoints: Array(n).fill({ asInt: 'x' }) } })
    expect(refusalOf(() => parse(points(3))).faults).toHaveLength(3)
    expect(refusalOf(() => parse(points(30))).faults).toHaveLength(20)
  })

  test('is also text that is no JSON', () => {
    expect(refusalOf(() => parseOtlpJson(new TextEncoder().encode('{"resourceMetrics":'), 5)).code).toBe(
      'invalid_json',
    )
  })
})

describe('OTLP in JSON', () => {
  test.each([
    ['fields nobody knows', { schemaUrl: 'x', new: { field: [1] } }, [1]],
    ['names of fields as in protobuf, which are none', { as_double: 7 }, [1]],
    ['null for what is unset', { asInt: null, attributes: null, flags: null, exemplars: null }, [1]],
  ])('ignores %s', (_, more, values) => {
    expect(parse(ofPoint({ asDouble: 1, ...more }))).toMatchObject({ values, nulls: [], unstorable: [] })
  })

  test.each([
    [{ asInt: 5 }, 5],
    [{ asInt: 1e21 }, 1e21],
    [{ asDouble: '1.5e3' }, 1500],
    [{ asDouble: '-.5' }, -0.5],
  ])('takes %j', (point, value) => {
    expect(parse(ofPoint(point)).values).toEqual([value])
  })

  test('takes times as numbers, which have lost some digits', () => {
    expect(parse(ofPoint({ asInt: 1, timeUnixNano: 1_544_712_660_300_000_000 })).ts).toEqual([
      1_544_712_660_300,
    ])
    expect(parse(ofPoint({ asInt: 1, timeUnixNano: 0 })).ts).toEqual([5])
  })

  test('takes a value that nests just deep enough', () => {
    const { names } = parse(ofPoint({ asInt: 1, attributes: [{ key: 'a', value: nested(16) }] }))
    expect(names[0]!.metric).toBe(`m,a=${'['.repeat(16)}"x"${']'.repeat(16)}`)
  })
})
