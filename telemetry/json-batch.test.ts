import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseJsonBatch } from './json-batch.ts'
import { isName } from './name.ts'
import type { ParsedBatch } from './parsed-batch.ts'

const NEW_YEAR = 1_767_225_600_000
const parse = (body: unknown) => parseJsonBatch(Buffer.from(JSON.stringify(body)))
const series = (points: unknown, more = {}) => ({ device: 'pump-7', metric: 'temperature', points, ...more })
const datapoint = (more = {}) => ({ device: 'pump-7', metric: 'current', ts: NEW_YEAR, value: 1, ...more })

/** The datapoints in words. */
function rowsOf({ names, seriesOf, ts, values, pathOf }: ParsedBatch) {
  return Array.from(ts, (time, i) => {
    const { device, metric } = names[seriesOf[i]!]!
    return [pathOf(i), `${device}/${metric}`, time, values[i]]
  })
}

describe('shapes', () => {
  test('both may be mixed: series count before datapoints, and the same series is one', () => {
    const batch = parse({
      batch_id: 'gw7-000123',
      source: 'gateway 7',
      datapoints: [
        { device: 'pump-7', metric: 'current', ts: '2026-01-01T00:00:00Z', value: 3.2, unit: 'A' },
        { device: 'pump-7', metric: 'temperature', ts: NEW_YEAR + 2, value: 71.5 },
      ],
      series: [
        series([
          [NEW_YEAR, 71.3],
          [NEW_YEAR + 1, 71.4],
        ]),
        series([]),
        series([[NEW_YEAR, 5]], { device: 'pump-8' }),
      ],
    })
    expect([batch.batchId, batch.source]).toEqual(['gw7-000123', 'gateway 7'])
    expect(rowsOf(batch)).toEqual([
      ['series[0].points[0]', 'pump-7/temperature', NEW_YEAR, 71.3],
      ['series[0].points[1]', 'pump-7/temperature', NEW_YEAR + 1, 71.4],
      ['series[2].points[0]', 'pump-8/temperature', NEW_YEAR, 5],
      ['datapoints[0]', 'pump-7/current', NEW_YEAR, 3.2],
      ['datapoints[1]', 'pump-7/temperature', NEW_YEAR + 2, 71.5],
    ])
    expect(batch.names).toHaveLength(3)
  })

  test('batch_id, source and unit may be left out, unknown fields are ignored', () => {
    const batch = parse({ datapoints: [datapoint({ quality: 'good' })], sender: { version: 3 } })
    expect(batch).toMatchObject({ batchId: undefined, source: undefined, names: [{ unit: null }] })
  })

  test('the last unit given for a series is its unit', () => {
    const units = ['C', undefined, 'K', undefined]
    const { names } = parse({ series: units.map((unit) => series([[NEW_YEAR, 1]], { unit })) })
    expect(names).toMatchObject([{ unit: 'K' }])
  })

  test('a value of null is kept apart, as no reading', () => {
    const batch = parse({ series: [series([[NEW_YEAR, null]])], datapoints: [datapoint({ value: null })] })
    expect(batch.nulls).toEqual([0, 1])
  })

  test('integers come in the precision of the batch, ISO 8601 in its own', () => {
    const points = [
      ['1767225600123999999', 1],
      ['2026-01-01T00:00:00.123Z', 2],
    ]
    const { ts } = parse({ precision: 'ns', series: [series(points)] })
    expect([...ts]).toEqual([NEW_YEAR + 123, NEW_YEAR + 123])
  })

  test('names from the prototype of objects are names like any other', () => {
    const text = `{"datapoints":[{"device":"__proto__","metric":"constructor","ts":0,"value":1}]}`
    expect(parseJsonBatch(Buffer.from(text)).names).toEqual([
      { device: '__proto__', metric: 'constructor', unit: null },
    ])
  })

  test('any datapoints come back as they were sent', () => {
    const point = fc.tuple(
      fc.integer(),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((v) => v + 0),
    )
    const sent = fc.array(fc.record({ device: fc.constantFrom('a', 'b', 'c'), points: fc.array(point) }))
    fc.assert(
      fc.property(sent, (list) => {
        const batch = parse({ series: list.map((each) => ({ ...each, metric: 'm' })) })
        const expected = list.flatMap(({ device, points }, i) =>
          points.map(([ts, value], j) => [`series[${i}].points[${j}]`, `${device}/m`, ts, value]),
        )
        expect(rowsOf(batch)).toEqual(expected)
      }),
    )
  })
})

describe('names', () => {
  test.each([
    ['one character', 'a'],
    ['128 characters', 'a'.repeat(128)],
    ['128 characters outside the basic plane', '🛢'.repeat(128)],
    ['spaces, slashes and umlauts', 'Pumpe Süd / 温度'],
  ])('%s is a name', (_, name) => {
    expect(isName(name)).toBe(true)
  })

  test.each([
    ['nothing', ''],
    ['129 characters', 'a'.repeat(129)],
    ['129 characters outside the basic plane', '🛢'.repeat(129)],
    ['a NUL', 'a\0b'],
    ['a line break', 'a\n'],
    ['a DEL', 'a\x7f'],
    ['a C1 control', 'a\x9f'],
    ['half a surrogate pair', 'a\ud83d'],
    ['a number', 7],
    ['null', null],
  ])('%s is not', (_, name) => {
    expect(isName(name)).toBe(false)
  })
})
