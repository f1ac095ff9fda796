import { describe, expect, test } from 'vitest'
import { jsonFormat } from './batch-format.ts'
import { BatchRefusal } from './batch-refusal.ts'

/* What the JSON of a batch means, by its bytes, whatever way it is parsed. */

const NEW_YEAR = Date.UTC(2026, 0, 1)

const parse = (json: string) => jsonFormat.parse(new TextEncoder().encode(json), 0)

function refusalOf(json: string): BatchRefusal {
  try {
    parse(json)
  } catch (error) {
    if (error instanceof BatchRefusal) return error
    throw error
  }
  throw new Error('The batch was not refused.')
}

const inSeries = (ts: string, precision = 'ms') =>
  `{"precision":"${precision}","series":[{"device":"d","metric":"m","points":[[${ts},1]]}]}`
const inDatapoint = (ts: string, precision = 'ms') =>
  `{"precision":"${precision}","datapoints":[{"device":"d","metric":"m","ts":${ts},"value":1}]}`

describe.each([
  ['series', inSeries],
  ['datapoints', inDatapoint],
])('a timestamp in %s', (_, json) => {
  test.each([
    ['s', '1767225600', NEW_YEAR],
    ['s', '"1767225600"', NEW_YEAR],
    ['s', '1767225600.0', NEW_YEAR],
    ['s', '1.7672256e9', NEW_YEAR],
    ['s', '-1', -1000],
    ['s', '"-1"', -1000],
    ['ms', '1767225600123', NEW_YEAR + 123],
    ['ms', '"1767225600123"', NEW_YEAR + 123],
    ['ms', '-1', -1],
    ['us', '1767225600123999', NEW_YEAR + 123],
    ['us', '"1767225600123999"', NEW_YEAR + 123],
    ['us', '-1', -1],
    ['us', '"-1001"', -2],
    ['us', '-1000', -1],
    ['ns', '"1767225600123999999"', NEW_YEAR + 123],
    ['ns', '"1767225600124000000"', NEW_YEAR + 124],
    ['ns', '1767225600123456789', NEW_YEAR + 123],
    ['ns', '"-1"', -1],
    ['ns', '-1000000', -1],
    ['ns', '-1000001', -2],
    ['ns', '"99999999999999999999"', 99_999_999_999_999],
  ])('in %s may be %s', (precision, ts, ms) => {
    expect(parse(json(ts, precision)).ts[0]).toBe(ms)
  })

  test.each([
    ['"2026-01-01T00:00:00Z"', NEW_YEAR],
    ['"2026-01-01T00:00:00"', NEW_YEAR],
    ['"2026-01-01"', NEW_YEAR],
    ['"2026-01-01T00:00:00.1Z"', NEW_YEAR + 100],
    ['"2026-01-01T00:00:00.123999999Z"', NEW_YEAR + 123],
    ['"2026-01-01T05:30:00+05:30"', NEW_YEAR],
    ['"2025-12-31T16:00:00-0800"', NEW_YEAR],
    ['"2025-12-31T23:59:59.999999Z"', NEW_YEAR - 1],
    ['"1969-12-31T23:59:59.9999Z"', -1],
    [String.raw`"2026-01-01T00:00:00\u005a"`, NEW_YEAR],
  ])('may be %s under every precision', (ts, ms) => {
    for (const precision of ['s', 'ms', 'us', 'ns']) expect(parse(json(ts, precision)).ts[0]).toBe(ms)
  })

  test.each([
    ...['1767225600.5', '"1767225600.5"', '"1.7e9"', 'null', 'true', '[]', '{}', '""', '" 1"', '"0x1"'],
    ...['"2026-02-30"', '"2026-01-01T00:00:00+24:00"', '"20260101T000000Z"', '"yesterday"', '1e400'],
  ])('may not be %s, and its place is named', (ts) => {
    const { code, faults } = refusalOf(json(ts, 's'))
    expect(code).toBe('validation_failed')
    expect(faults.map(({ path }) => path)).toEqual([
      json === inSeries ? 'series[0].points[0][0]' : 'datapoints[0].ts',
    ])
  })
})

describe('values', () => {
  const valueIn = (text: string) => {
    const json = `{"series":[{"device":"d","metric":"m","points":[[0,${text}]]}]}`
    return parse(json).values[0]
  }

  test.each([
    ['0', 0],
    ['-0', -0],
    ['1E3', 1000],
    ['2.5e-3', 0.0025],
    ['5e-324', 5e-324],
    ['1e-400', 0],
    ['1.7976931348623157e308', Number.MAX_VALUE],
    ['0.1', 0.1],
    ['9007199254740993', 9007199254740992],
    ['123456789012345678901234567890', 1.2345678901234568e29],
    ['3.141592653589793238462643383279', Math.PI],
  ])('%s is the double that JSON.parse makes of it', (text, value) => {
    expect(valueIn(text)).toBe(value)
    expect(valueIn(text)).toBe(JSON.parse(text))
  })

  test.each(['1e309', '-1e400', '"1"', 'true', '[1]', '{}'])('%s is none', (text) => {
    expect(() => valueIn(text)).toThrow(BatchRefusal)
  })

  test.each(['01', '1.', '.5', '+1', '0x10', '1e', '--1', 'Infinity', 'NaN', '1_000'])(
    '%s is not JSON',
    (text) => {
      const json = `{"series":[{"device":"d","metric":"m","points":[[0,${text}]]}]}`
      expect(refusalOf(json).code).toBe('invalid_json')
    },
  )
})

describe('unknown fields', () => {
  test('are ignored wherever an object may have them, whatever they hold', () => {
    const extra = '"points2":[[1,2]],"x":{"points":[[3,4]],"series":[],"ts":5}'
    const { ts, values, names } =
      parse(`{${extra},"series":[{${extra},"device":"d","metric":"m","points":[[0,1]],
      "tags":{"points":"none"}}],"datapoints":[{"device":"d","metric":"m","ts":6,"value":7,${extra}}],"y":null}`)
    expect([Array.from(ts), Array.from(values), names]).toEqual([
      [0, 6],
      [1, 7],
      [{ device: 'd', metric: 'm', unit: null }],
    ])
  })

  test('are no third element of a point', () => {
    const json = '{"series":[{"device":"d","metric":"m","points":[[0,1,{"quality":"good"}]]}]}'
    expect(refusalOf(json).faults.map(({ path }) => path)).toEqual(['series[0].points[0]'])
  })
})

describe('names and units', () => {
  const json = (field: string, text: string) => {
    const names = { device: 'd', metric: 'm', unit: 'u', source: 's', [field]: text }
    const { source, ...series } = names
    return JSON.stringify({ source, series: [{ ...series, points: [[0, 1]] }] })
  }

  test.each(['device', 'metric', 'unit', 'source'])(
    '%s has 1 to 128 code points, however many bytes',
    (field) => {
      for (const text of [
        'a',
        'a'.repeat(128),
        '😀'.repeat(128),
        'e\u0301'.repeat(64),
        ' padded ',
        'Süd/温度',
      ])
        expect(() => parse(json(field, text))).not.toThrow()
      for (const text of [
        '',
        'a'.repeat(129),
        '😀'.repeat(129),
        'a\u0000',
        'a\nb',
        '\u007f',
        '\u0085',
        '\ud83d',
        '\ude00a',
      ])
        expect(refusalOf(json(field, text)).faults).toMatchObject([
          { path: field === 'source' ? 'source' : `series[0].${field}` },
        ])
    },
  )

  test('a unit of null is none given, and names are compared as they are written', () => {
    const series = ['é', 'e\u0301', 'É', 'é'].map((device, i) => ({
      device,
      metric: 'm',
      unit: null,
      points: [[i, 1]],
    }))
    const { names, seriesOf } = parse(JSON.stringify({ series }))
    expect(names.map(({ device, unit }) => [device, unit])).toEqual([
      ['é', null],
      ['e\u0301', null],
      ['É', null],
    ])
    expect(Array.from(seriesOf)).toEqual([0, 1, 2, 0])
  })
})
