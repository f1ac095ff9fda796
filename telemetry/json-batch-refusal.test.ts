import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BatchRefusal, type Fault } from './batch-refusal.ts'
import { parseJsonBatch } from './json-batch.ts'

const parse = (body: unknown) => parseJsonBatch(Buffer.from(JSON.stringify(body)))
const series = (points: unknown, more = {}) => ({ device: 'pump-7', metric: 'temperature', points, ...more })
const datapoint = (more = {}) => ({ device: 'pump-7', metric: 'current', ts: 0, value: 1, ...more })

function refusalOf(body: unknown): BatchRefusal {
  try {
    parseJsonBatch(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)))
  } catch (error) {
    if (error instanceof BatchRefusal) return error
    throw error
  }
  throw new Error('The batch was not refused.')
}

const pathsOf = (body: unknown) => refusalOf(body).faults.map(({ path }: Fault) => path)

test.each(['', '{', '[1,', 'NaN', '{"series":[}'])('%j is not JSON', (text) => {
  expect(refusalOf(text).code).toBe('invalid_json')
})

test.each([
  ['no object', 5, ['']],
  ['null', null, ['']],
  ['neither shape', {}, ['']],
  ['an array', [], ['']],
  ['a batch_id with a space', { batch_id: 'a b', series: [] }, ['batch_id']],
  ['a batch_id that starts with a dot', { batch_id: '.a', series: [] }, ['batch_id']],
  ['a batch_id of 129 characters', { batch_id: 'a'.repeat(129), series: [] }, ['batch_id']],
  ['an empty source', { source: '', series: [] }, ['source']],
  ['an unknown precision', { precision: 'm', series: [] }, ['precision']],
  ['series that are no array', { series: {} }, ['series']],
  ['an entry that is no object', { series: [[]], datapoints: [null] }, ['series[0]', 'datapoints[0]']],
  ['no points', { series: [series(undefined)] }, ['series[0].points']],
  ['a point of one element', { series: [series([[1]])] }, ['series[0].points[0]']],
  ['a point of three elements', { series: [series([[1, 2, 3]])] }, ['series[0].points[0]']],
  ['a ts that is no time', { series: [series([['soon', 1]])] }, ['series[0].points[0][0]']],
  ['a fractional ts', { series: [series([[1.5, 1]])] }, ['series[0].points[0][0]']],
  ['a value in quotes', { series: [series([[1, '2']])] }, ['series[0].points[0][1]']],
  ['a boolean value', { datapoints: [datapoint({ value: true })] }, ['datapoints[0].value']],
  ['no value', { datapoints: [datapoint({ value: undefined })] }, ['datapoints[0].value']],
  ['no ts', { datapoints: [datapoint({ ts: undefined })] }, ['datapoints[0].ts']],
  ['no device', { datapoints: [datapoint({ device: undefined })] }, ['datapoints[0].device']],
  ['an empty metric', { series: [series([], { metric: '' })] }, ['series[0].metric']],
  ['a unit too long', { series: [series([], { unit: 'u'.repeat(129) })] }, ['series[0].unit']],
])('%s is refused at its place', (_, body, paths) => {
  expect(refusalOf(body).code).toBe('validation_failed')
  expect(pathsOf(body)).toEqual(paths)
})

test('a number beyond the largest double is not finite, hence refused', () => {
  const text = `{"series":[{"device":"d","metric":"m","points":[[0,1],[1,1e400]]}]}`
  expect(pathsOf(text)).toEqual(['series[0].points[1][1]'])
})

test('the first twenty faults are told', () => {
  const points = Array.from({ length: 30 }, (_, i) => [i, 'x'])
  expect(pathsOf({ series: [series(points)] })).toEqual(
    Array.from({ length: 20 }, (_, i) => `series[0].points[${i}][1]`),
  )
})

test('50,000 datapoints are taken and one more is too many, over both shapes together', () => {
  const points = Array.from({ length: 49_999 }, (_, i) => [i, 1])
  const full = { series: [series(points)], datapoints: [datapoint()] }
  expect(parse(full).ts).toHaveLength(50_000)
  full.datapoints.push(datapoint())
  expect(refusalOf(full).code).toBe('payload_too_large')
})

test('no JSON makes it fail in any other way', () => {
  const entry = fc.record({
    device: fc.oneof(fc.constant('d'), fc.jsonValue()),
    metric: fc.oneof(fc.constant('m'), fc.jsonValue()),
    points: fc.oneof(fc.array(fc.array(fc.jsonValue(), { maxLength: 3 })), fc.jsonValue()),
  })
  const body = fc.oneof(fc.jsonValue(), fc.record({ series: fc.array(entry), datapoints: fc.array(entry) }))
  fc.assert(
    fc.property(body, (value) => {
      try {
        parse(value)
      } catch (error) {
        expect(error).toBeInstanceOf(BatchRefusal)
      }
    }),
  )
})
