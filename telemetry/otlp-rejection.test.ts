import { describe, expect, test } from 'vitest'
import { BatchRefusal } from './batch-refusal.ts'
import { attributes, ENCODINGS, gauge, request, rowsOf as rowsOfAny, T } from './testing/otlp-requests.ts'

describe.each(Object.entries(ENCODINGS))('metrics of OTLP in %s', (_, parse) => {
  const rowsOf = (sent: object) => rowsOfAny(parse, sent)

  describe('what no series can hold', () => {
    const long = 'x'.repeat(129)
    const oneElement = { arrayValue: { values: [{}] } }
    test.each<[string, object]>([
      ['a name that is too long', gauge({}, { name: long })],
      ['no name', gauge({}, { name: '' })],
      ['no name and attributes', gauge({ attributes: attributes({ a: '1' }) }, { name: '' })],
      ['a name with a control character', gauge({}, { name: 'a\n' })],
      ['a name whose bytes were not all UTF-8', gauge({}, { name: 'a\ufffd' })],
      ['a unit that is too long', gauge({}, { unit: long })],
      ['attributes that make a name too long', gauge({ attributes: attributes({ a: 'x'.repeat(126) }) })],
      [
        'as many attributes as no name can hold',
        gauge({ attributes: Array.from({ length: 64 }, (_each, i) => ({ key: `${i}`, value: {} })) }),
      ],
      [
        'as many attributes, though of one key',
        gauge({ attributes: Array.from({ length: 64 }, () => ({ key: 'a', value: {} })) }),
      ],
      [
        'a list as no name can hold',
        gauge({
          attributes: attributes({ a: { arrayValue: { values: Array.from({ length: 200 }, () => ({})) } } }),
        }),
      ],
      [
        'lists in lists of which each is short and all are long',
        gauge({
          attributes: attributes({
            a: {
              kvlistValue: {
                values: Array.from({ length: 65 }, (_each, i) => ({ key: `${i}`, value: oneElement })),
              },
            },
          }),
        }),
      ],
      [
        'a long text in a list',
        gauge({
          attributes: attributes({ a: { arrayValue: { values: [{ stringValue: 'x'.repeat(600) }] } } }),
        }),
      ],
      [
        'an attribute of many bytes',
        gauge({ attributes: attributes({ a: { bytesValue: 'AAAA'.repeat(200) } }) }),
      ],
      [
        'a long attribute of four-byte characters',
        gauge({ attributes: attributes({ a: '😀'.repeat(600) }) }),
      ],
      ['a long key', gauge({ attributes: attributes({ ['k'.repeat(600)]: 'x' }) })],
    ])('%s', (_name, metric) => {
      const sent = { resourceMetrics: [{ scopeMetrics: [{ metrics: [metric, gauge({}, { name: 'ok' })] }] }] }
      expect(rowsOf(sent)).toEqual(['metrics[0].gauge.dataPoints[0]: invalid_name', 'default/ok 0 1'])
    })

    test('a device whose name is too long spoils its own datapoints', () => {
      const resources = [long, 'd'].flatMap(
        (device) => request(gauge({}), { 'device.id': device }).resourceMetrics,
      )
      expect(rowsOf({ resourceMetrics: resources })).toEqual([
        'metrics[0].gauge.dataPoints[0]: invalid_name',
        'd/m 0 1',
      ])
    })

    test.each<[string, object, string]>([
      [
        'a list of 41',
        { arrayValue: { values: Array(41).fill({ intValue: 7 }) } },
        `[${Array(41).fill(7).join('\\,')}]`,
      ],
      ['a text of four-byte characters', { stringValue: '😀'.repeat(124) }, '😀'.repeat(124)],
    ])('%s a name can hold', (_name, value, text) => {
      const sent = request(gauge({ attributes: attributes({ a: value }) }))
      expect(rowsOf(sent)).toEqual([`d/m,a=${text} 0 1`])
    })

    test('a name just short enough can', () => {
      const of = attributes({ a: 'x'.repeat(124) })
      expect(rowsOf(request(gauge({ attributes: of })))).toEqual([`d/m,a=${'x'.repeat(124)} 0 1`])
    })
  })

  test('a datapoint is named by where it stands, both parts of a histogram alike', () => {
    const histogram = {
      name: 'h',
      histogram: { dataPoints: [1, 2].map((count) => ({ timeUnixNano: T, count, sum: 1 })) },
    }
    const scope = {
      metrics: [{ name: 'empty', gauge: {} }, histogram, { name: 'empty', sum: {} }, gauge({})],
    }
    const { ts, pathOf } = parse({ resourceMetrics: [{}, { scopeMetrics: [{}, scope] }] })
    const at = 'resourceMetrics[1].scopeMetrics[1].metrics'
    expect(ts.map((_each, i) => pathOf(i))).toEqual([
      `${at}[1].histogram.dataPoints[0]`,
      `${at}[1].histogram.dataPoints[0]`,
      `${at}[1].histogram.dataPoints[1]`,
      `${at}[1].histogram.dataPoints[1]`,
      `${at}[3].gauge.dataPoints[0]`,
    ])
  })

  test.each([{}, { resourceMetrics: [] }, { resourceMetrics: [{ scopeMetrics: [{ metrics: [] }] }] }])(
    '%j holds no datapoint',
    (sent) => {
      expect(parse(sent)).toMatchObject({ ts: [], names: [], timedByArrival: false })
    },
  )

  test('50,000 datapoints are a batch, one more is not', () => {
    const point = { timeUnixNano: T, count: 1, sum: 1 }
    const metrics = [{ name: 'h', histogram: { dataPoints: Array(25_000).fill(point) } }, gauge({})]
    const sent = (n: number) => ({ resourceMetrics: [{ scopeMetrics: [{ metrics: metrics.slice(0, n) }] }] })
    expect(parse(sent(1)).ts).toHaveLength(50_000)
    expect(() => parse(sent(2))).toThrow(BatchRefusal)
    expect(() => parse(sent(2))).toThrow(expect.objectContaining({ code: 'payload_too_large' }))
  })
})
