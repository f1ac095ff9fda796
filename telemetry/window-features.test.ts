import fc from 'fast-check'
import { max, mean, min, std } from 'mathjs'
import { expect, test } from 'vitest'
import { addToMoments, emptyMoments } from './moments.ts'
import { Sketch } from './sketch.ts'
import { featuresOfParts, featuresOfValues, type WindowFeatures, type WindowPart } from './window-features.ts'

const START = Date.UTC(2026, 0, 1)
/** Readings as sensors give them, to three decimals. */
const values = fc.array(
  fc.integer({ min: -1e9, max: 1e9 }).map((thousandths) => thousandths / 1000),
  { minLength: 1, maxLength: 100 },
)

/** The part that a shard writes for these values. */
function partOf(list: number[]): WindowPart {
  const { count, mean, m2 } = list.reduce((moments, value) => {
    addToMoments(moments, value)
    return moments
  }, emptyMoments())
  const sketch = new Sketch(Math.random)
  for (const value of list) sketch.add(value)
  return {
    ...{ windowStart: START, count, mean, m2, min: Math.min(...list), max: Math.max(...list) },
    ...{ median: sketch.median(), mad: sketch.mad(), firstTs: START, lastTs: START },
    sketch: sketch.toBytes(),
  }
}

/** Order statistics exactly, moments to 1e-9 of the values' size. */
function expectSame(actual: WindowFeatures, expected: WindowFeatures): void {
  const { mean: actualMean, std: actualStd, ...exact } = actual
  const { mean: expectedMean, std: expectedStd, ...expectedExact } = expected
  const scale = Math.max(Math.abs(expected.min), Math.abs(expected.max), 1)
  expect(exact).toEqual(expectedExact)
  expect(Math.abs(actualMean - expectedMean) / scale).toBeLessThan(1e-9)
  expect(Math.abs(actualStd - expectedStd) / scale).toBeLessThan(1e-9)
}

test('the moments and extremes of values are those of mathjs', () => {
  fc.assert(
    fc.property(values, (list) => {
      const features = featuresOfValues(START, list)
      const spread = list.length === 1 ? 0 : Number(std(list))
      const range = max(list) - min(list)
      expectSame(features, {
        ...features,
        mean: mean(list),
        std: spread,
        min: min(list),
        max: max(list),
        range,
      })
    }),
  )
})

test('one part, many parts and the values themselves give the same features', () => {
  fc.assert(
    fc.property(fc.array(values, { minLength: 1, maxLength: 5 }), (lists) => {
      const expected = featuresOfValues(START, lists.flat())
      expectSame(featuresOfParts([partOf(lists.flat())]), expected)
      expectSame(featuresOfParts(lists.map(partOf)), expected)
      expectSame(featuresOfParts(lists.map(partOf).reverse()), expected)
    }),
  )
})

test('one value is its own mean, median, least and greatest, and has no spread', () => {
  expect(featuresOfValues(START, [71.3])).toEqual({
    ...{ windowStart: START, windowEnd: START + 300_000, count: 1, mean: 71.3, std: 0 },
    ...{ median: 71.3, mad: 0, min: 71.3, max: 71.3, range: 0 },
  })
})

test('the spread of 230 V ± 0.5 is not swallowed by its offset', () => {
  const { std: spread, mad } = featuresOfValues(START, [229.5, 230.5, 229.5, 230.5])
  expect(spread).toBeCloseTo(Math.sqrt(1 / 3), 12)
  expect(mad).toBe(0.5)
})

test('the values may come in any order and as a typed array', () => {
  const list = [5, 1, 4, 1, 3]
  const features = featuresOfValues(START, Float64Array.from(list))
  expect(features).toMatchObject({ count: 5, median: 3, mad: 2, min: 1, max: 5, range: 4 })
  expect(list).toEqual([5, 1, 4, 1, 3])
})

test('no finite values, however large, give a feature that is NaN or infinite', () => {
  const finite = fc.double({ noNaN: true, noDefaultInfinity: true })
  fc.assert(
    fc.property(fc.array(finite, { minLength: 1, maxLength: 9 }), (list) => {
      const features = Object.values({ ...featuresOfValues(START, list), ...featuresOfParts([partOf(list)]) })
      expect(features.filter((value) => !Number.isFinite(value))).toEqual([])
    }),
  )
})

test('the sketch of a single part is not decoded, those of several are', () => {
  const hollow = { ...partOf([1, 2]), sketch: Uint8Array.of(9) }
  expect(featuresOfParts([hollow])).toMatchObject({ count: 2, median: 1.5 })
  expect(() => featuresOfParts([hollow, partOf([3])])).toThrow(RangeError)
})

test('a window without parts or values has no features', () => {
  expect(() => featuresOfParts([])).toThrow(RangeError)
  expect(() => featuresOfValues(START, [])).toThrow(RangeError)
})
