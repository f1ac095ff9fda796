import { describe, expect, test } from 'vitest'
import {
  ARRIVAL,
  attributes,
  ENCODINGS,
  gauge,
  NEW_YEAR,
  request,
  rowsOf as rowsOfAny,
  T,
} from './testing/otlp-requests.ts'

describe.each(Object.entries(ENCODINGS))('metrics of OTLP in %s', (_, parse) => {
  const rowsOf = (sent: object) => rowsOfAny(parse, sent)

  describe('series', () => {
    test.each<[string, Record<string, object | string>, string]>([
      ['device.id', { 'host.name': 'h', 'service.instance.id': 's', 'device.id': 'd' }, 'd'],
      ['else service.instance.id', { 'host.name': 'h', 'service.instance.id': 's' }, 's'],
      ['else host.name', { 'service.name': 'x', 'host.name': 'h' }, 'h'],
      ['a number', { 'device.id': { intValue: '7' } }, '7'],
      ['the next one where one is empty', { 'device.id': '', 'host.name': 'h' }, 'h'],
      ['nothing', { 'service.name': 'x' }, 'default'],
    ])('the device is named by %s', (_name, resource, device) => {
      expect(rowsOf(request(gauge({}), resource))).toEqual([`${device}/m 0 1`])
    })

    test('a resource that is left out is the device "default"', () => {
      expect(rowsOf({ resourceMetrics: [{ scopeMetrics: [{ metrics: [gauge({})] }] }] })).toEqual([
        'default/m 0 1',
      ])
    })

    test.each<[string, Record<string, object | string>, string]>([
      ['sorted', { b: '2', a: '1' }, ',a=1,b=2'],
      ['escaped', { 'x=y': '1,z=2' }, ',x\\=y=1\\,z\\=2'],
      ['integers', { a: { intValue: '-5' } }, ',a=-5'],
      ['integers beyond doubles', { a: { intValue: '9007199254740993' } }, ',a=9007199254740993'],
      ['doubles', { a: { doubleValue: 0.5 } }, ',a=0.5'],
      ['booleans', { a: { boolValue: true }, b: { boolValue: false } }, ',a=true,b=false'],
      ['bytes', { a: { bytesValue: 'AQID' } }, ',a=AQID'],
      ['empty text', { a: '' }, ',a='],
      ['empty values', { a: {} }, ',a='],
      [
        'lists',
        { a: { arrayValue: { values: [{ stringValue: 'x' }, { intValue: '1' }, { boolValue: true }, {}] } } },
        ',a=["x"\\,1\\,true\\,null]',
      ],
      [
        'records',
        { a: { kvlistValue: { values: attributes({ k: { arrayValue: {} }, l: 'x' }) } } },
        ',a={"k":[]\\,"l":"x"}',
      ],
      ['text beyond ASCII', { Öl: 'Süd温度' }, ',Öl=Süd温度'],
      ['names of the prototype', { ['__proto__']: 'constructor' }, ',__proto__=constructor'],
    ])('attributes follow the name: %s', (_name, of, suffix) => {
      expect(rowsOf(request(gauge({ attributes: attributes(of) })))).toEqual([`d/m${suffix} 0 1`])
    })

    test('of an attribute that comes twice the last value counts', () => {
      const twice = [...attributes({ a: '1', b: 'x' }), ...attributes({ a: '2' })]
      expect(rowsOf(request(gauge({ attributes: twice })))).toEqual(['d/m,a=2,b=x 0 1'])
    })

    test('the same attributes in another order are the same series', () => {
      const points = [
        { a: '1', b: '2' },
        { b: '2', a: '1' },
      ].map((of, i) => {
        return { timeUnixNano: T + i, asDouble: i, attributes: attributes(of) }
      })
      expect(parse(request({ name: 'm', gauge: { dataPoints: points } })).names).toHaveLength(1)
    })

    test('a name is one series, however it comes about', () => {
      const metrics = [
        gauge({ attributes: attributes({ a: '1' }) }),
        gauge({}, { name: 'm,a=1' }),
        gauge({}, { name: 'h.count' }),
        { name: 'h', histogram: { dataPoints: [{ timeUnixNano: T, count: '3' }] } },
      ]
      const { names, seriesOf } = parse({
        resourceMetrics: [
          { scopeMetrics: [{ metrics: metrics.slice(0, 2) }, { metrics: metrics.slice(2) }] },
        ],
      })
      expect(names.map(({ metric }) => metric)).toEqual(['m,a=1', 'h.count'])
      expect(seriesOf).toEqual([0, 0, 1, 1])
    })

    test('every resource is a device of its own', () => {
      const resources = ['a', 'b'].flatMap(
        (device) => request(gauge({}), { 'device.id': device }).resourceMetrics,
      )
      expect(rowsOf({ resourceMetrics: resources })).toEqual(['a/m 0 1', 'b/m 0 1'])
    })

    test('the unit is that of the metric, the last one counts, and a count has none', () => {
      const point = { timeUnixNano: T, count: '3', sum: 4 }
      const metrics = [
        gauge({}, { unit: 'C' }),
        gauge({}, { name: 'none', unit: '' }),
        { name: 'h', unit: 'ms', histogram: { dataPoints: [point] } },
        gauge({}, { unit: 'K' }),
        gauge({}),
      ]
      expect(parse({ resourceMetrics: [{ scopeMetrics: [{ metrics }] }] }).names).toMatchObject([
        { metric: 'm', unit: 'K' },
        { metric: 'none', unit: null },
        { metric: 'h.count', unit: null },
        { metric: 'h.sum', unit: 'ms' },
      ])
    })
  })

  describe('values', () => {
    test.each([
      [{ asInt: '42' }, 42],
      [{ asInt: '-42' }, -42],
      [{ asInt: '0' }, 0],
      [{ asInt: '9223372036854775807' }, 2 ** 63],
      [{ asInt: '-9223372036854775808' }, -(2 ** 63)],
      [{ asInt: '9007199254740993' }, 9007199254740992],
      [{ asDouble: -1.5e-300 }, -1.5e-300],
      [{ asDouble: 0 }, 0],
    ])('%j is %d', (point, value) => {
      const { asDouble, ...unset } = { asDouble: undefined, ...point }
      const sent = { timeUnixNano: T, ...unset, ...(asDouble !== undefined && { asDouble }) }
      const { values, nulls, unstorable } = parse(request({ name: 'm', gauge: { dataPoints: [sent] } }))
      expect({ values, nulls, unstorable }).toEqual({ values: [value], nulls: [], unstorable: [] })
    })

    test.each(['NaN', 'Infinity', '-Infinity'])('%s rejects its datapoint alone', (value) => {
      const dataPoints = [1, value, 3].map((asDouble) => ({ timeUnixNano: T, asDouble }))
      expect(rowsOf(request({ name: 'm', gauge: { dataPoints } }))).toEqual([
        'd/m 0 1',
        'metrics[0].gauge.dataPoints[1]: not_numeric',
        'd/m 0 3',
      ])
    })

    test.each([
      ['no value', { timeUnixNano: T }],
      ['the flag that none was recorded', { timeUnixNano: T, asDouble: 5, flags: 1 }],
      ['that flag among others', { timeUnixNano: T, asInt: '5', flags: 3 }],
    ])('with %s there is nothing to store', (_name, point) => {
      const { names, nulls } = parse(request({ name: 'm', sum: { dataPoints: [point] } }))
      expect({ names, nulls }).toEqual({ names: [], nulls: [0] })
    })

    test('other flags mean nothing', () => {
      expect(rowsOf(request(gauge({ flags: 2 })))).toEqual(['d/m 0 1'])
    })
  })

  describe('kinds', () => {
    const numbers = { dataPoints: [{ timeUnixNano: T, asInt: '7', startTimeUnixNano: '1' }] }
    const point = {
      timeUnixNano: T,
      count: '3',
      sum: 4.5,
      min: 1,
      max: 2,
      attributes: attributes({ a: '1' }),
    }
    test.each<[string, object, string[]]>([
      ['a gauge', { gauge: numbers }, ['d/m 0 7']],
      [
        'a cumulative sum',
        { sum: { ...numbers, aggregationTemporality: 2, isMonotonic: true } },
        ['d/m 0 7'],
      ],
      ['a delta sum, as it comes', { sum: { ...numbers, aggregationTemporality: 1 } }, ['d/m 0 7']],
      [
        'a histogram',
        { histogram: { dataPoints: [{ ...point, bucketCounts: ['1', '2'], explicitBounds: [1] }] } },
        ['d/m.count,a=1 0 3', 'd/m.sum,a=1 0 4.5'],
      ],
      [
        'a histogram without a sum',
        { histogram: { dataPoints: [{ timeUnixNano: T, count: '3' }] } },
        ['d/m.count 0 3'],
      ],
      [
        'an exponential histogram',
        {
          exponentialHistogram: {
            dataPoints: [
              { ...point, scale: -3, zeroCount: '1', positive: { offset: 2, bucketCounts: ['1'] } },
            ],
          },
        },
        ['d/m.count,a=1 0 3', 'd/m.sum,a=1 0 4.5'],
      ],
      [
        'a summary',
        { summary: { dataPoints: [{ ...point, quantileValues: [{ quantile: 0.5, value: 1 }] }] } },
        ['d/m.count,a=1 0 3', 'd/m.sum,a=1 0 4.5'],
      ],
      [
        'a summary that leaves out zeros',
        { summary: { dataPoints: [{ timeUnixNano: T }] } },
        ['d/m.count 0 0', 'd/m.sum 0 0'],
      ],
      [
        'a histogram whose sum is no number',
        { histogram: { dataPoints: [{ ...point, sum: 'NaN' }] } },
        ['d/m.count,a=1 0 3', 'metrics[0].histogram.dataPoints[0]: not_numeric'],
      ],
      [
        'a histogram without a recorded value',
        { histogram: { dataPoints: [{ timeUnixNano: T, flags: 1, sum: 1 }] } },
        ['metrics[0].histogram.dataPoints[0]: null_value'],
      ],
      ['a metric without data', {}, []],
      ['a metric without datapoints', { gauge: {} }, []],
    ])('%s', (_name, metric, rows) => {
      expect(rowsOf(request({ name: 'm', ...metric }))).toEqual(rows)
    })
  })

  describe('times', () => {
    test.each([
      ['floored to milliseconds', `${NEW_YEAR}999999`, 0],
      ['exact where a double is not', `${NEW_YEAR + 1}000000`, 1],
      ['the last there is', '18446744073709551615', 18_446_744_073_709 - NEW_YEAR],
      ['a nanosecond', '1', -NEW_YEAR],
    ])('%s', (_name, timeUnixNano, ms) => {
      expect(rowsOf(request(gauge({ timeUnixNano })))).toEqual([`d/m ${ms} 1`])
      expect(parse(request(gauge({ timeUnixNano }))).timedByArrival).toBe(false)
    })

    test.each([['0'], [undefined]])('without one (%s) it is that of arrival', (timeUnixNano) => {
      const { ts, timedByArrival } = parse(
        request({ name: 'm', gauge: { dataPoints: [{ timeUnixNano, asDouble: 1 }] } }),
      )
      expect({ ts, timedByArrival }).toEqual({ ts: [ARRIVAL], timedByArrival: true })
    })
  })
})
