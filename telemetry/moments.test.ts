import fc from 'fast-check'
import { all, create } from 'mathjs'
import { expect, test } from 'vitest'
import {
  addRunToMoments,
  addToMoments,
  emptyMoments,
  type Moments,
  mergeMoments,
  standardDeviation,
} from './moments.ts'

/* The oracle: mathjs on 64-digit decimals, for which every double is exact enough. */
const exact = create(all!, { number: 'BigNumber', precision: 64 })
const big = (values: number[]) => values.map((value) => exact.bignumber(value))
const exactMean = (values: number[]) => Number(exact.mean(big(values)))
const exactStd = (values: number[]) => (values.length === 1 ? 0 : Number(exact.std(...big(values))))

function momentsOf(values: number[]): Moments {
  const moments = emptyMoments()
  for (const value of values) addToMoments(moments, value)
  return moments
}

/** Each run stands between two strangers, which must not come along. */
function momentsOfRuns(runs: number[][]): Moments {
  const moments = emptyMoments()
  for (const run of runs) {
    if (run.length > 0) addRunToMoments(moments, Float64Array.of(1e9, ...run, 1e9), 1, run.length + 1)
  }
  return moments
}

/** Readings around an offset up to 1e9, as telemetry has them: 230 V ± 0.5, epoch seconds ± jitter. */
const readings = fc
  .tuple(fc.double({ min: -1e9, max: 1e9, noNaN: true }), fc.constantFrom(1e-3, 1, 1e6))
  .chain(([offset, spread]) => {
    const value = fc.double({ min: -spread, max: spread, noNaN: true }).map((delta) => offset + delta)
    return fc.array(value, { minLength: 1, maxLength: 60 })
  })

const anyFinite = fc.double({ noNaN: true, noDefaultInfinity: true })

/** Rounding of the values themselves, which no algorithm can undo, and of squares below the smallest double. */
const rounding = (values: number[]) => values.length * 2 ** -52 * Math.max(...values.map(Math.abs)) + 1e-150

function expectExact(moments: Moments, values: number[]): void {
  const std = exactStd(values)
  expect(moments.count).toBe(values.length)
  expect(Math.abs(moments.mean - exactMean(values))).toBeLessThanOrEqual(rounding(values))
  expect(Math.abs(standardDeviation(moments) - std)).toBeLessThanOrEqual(1e-9 * std + rounding(values))
}

test('mean and standard deviation agree with decimal arithmetic', () => {
  fc.assert(fc.property(readings, (values) => expectExact(momentsOf(values), values)))
})

test('merged parts agree with decimal arithmetic on all values, however they were split', () => {
  fc.assert(
    fc.property(readings, fc.array(fc.nat(60), { maxLength: 4 }), (values, cuts) => {
      const borders = [0, ...cuts.sort((a, b) => a - b), values.length]
      const parts = borders.slice(1).map((to, i) => momentsOf(values.slice(borders[i], to)))
      expectExact(parts.reduce(mergeMoments, emptyMoments()), values)
    }),
  )
})

test('a tiny spread on a huge offset keeps nine digits', () => {
  const values = Array.from({ length: 1000 }, (_, i) => 1e9 + (i % 2 === 0 ? 0.25 : -0.25))
  expect(standardDeviation(momentsOf(values))).toBeCloseTo(exactStd(values), 9)
})

test.each([
  ['one value', [42.5], 42.5, 0],
  ['a constant', [0.1, 0.1, 0.1], 0.1, 0],
  ['a constant on a huge offset', [1e15 + 1, 1e15 + 1], 1e15 + 1, 0],
  ['two values', [1, 3], 2, Math.SQRT2],
  ['the textbook example', [2, 4, 4, 4, 5, 5, 7, 9], 5, Math.sqrt(32 / 7)],
])('%s', (_, values, mean, std) => {
  const moments = momentsOf(values)
  expect(moments.mean).toBe(mean)
  expect(standardDeviation(moments)).toBeCloseTo(std, 15)
})

test('merging with the empty moments changes nothing, on either side', () => {
  const moments = momentsOf([1, 2, 4])
  expect(mergeMoments(moments, emptyMoments())).toEqual(moments)
  expect(mergeMoments(emptyMoments(), moments)).toEqual(moments)
})

test('merging leaves its arguments as they were', () => {
  const [a, b] = [momentsOf([1, 2]), momentsOf([3])]
  mergeMoments(a, b)
  mergeMoments(emptyMoments(), b).count += 1
  expect([a, b]).toEqual([momentsOf([1, 2]), momentsOf([3])])
})

test('no finite values, however large, end in NaN or Infinity', () => {
  const values = fc.array(anyFinite, { minLength: 1, maxLength: 20 })
  fc.assert(
    fc.property(values, values, (left, right) => {
      const merged = mergeMoments(momentsOf(left), momentsOf(right))
      for (const value of right) addToMoments(merged, value)
      expect([merged.mean, merged.m2, standardDeviation(merged)].every(Number.isFinite)).toBe(true)
      expect(merged.m2).toBeGreaterThanOrEqual(0)
    }),
  )
})

test('the standard deviation of no values is refused', () => {
  expect(() => standardDeviation(emptyMoments())).toThrow(RangeError)
})

test('runs added one after the other agree with decimal arithmetic, wherever they are cut', () => {
  fc.assert(
    fc.property(readings, fc.array(fc.nat(60), { maxLength: 4 }), (values, cuts) => {
      const borders = [0, ...cuts.sort((a, b) => a - b), values.length]
      expectExact(momentsOfRuns(borders.slice(1).map((to, i) => values.slice(borders[i], to))), values)
    }),
  )
})

test('runs of values, however large, count all of them and end in no NaN or Infinity', () => {
  fc.assert(
    fc.property(fc.array(fc.array(anyFinite, { maxLength: 20 }), { minLength: 1 }), (runs) => {
      const { count, mean, m2 } = momentsOfRuns(runs)
      expect(count).toBe(runs.flat().length)
      expect([mean, m2].every(Number.isFinite)).toBe(true)
      expect(m2).toBeGreaterThanOrEqual(0)
    }),
  )
})

test.each([
  ['a constant', [0.1, 0.1, 0.1], 0.1, 0],
  ['a constant on a huge offset', [1e15 + 1, 1e15 + 1], 1e15 + 1, 0],
  ['squares that overflow', [1e200, -1e200], 0, Math.sqrt(Number.MAX_VALUE)],
])('a run of %s', (_, values, mean, std) => {
  const moments = momentsOfRuns([values])
  expect([moments.mean, standardDeviation(moments)]).toEqual([mean, std])
})
