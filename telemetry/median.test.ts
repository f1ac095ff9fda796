import fc from 'fast-check'
import { all, create } from 'mathjs'
import { expect, test } from 'vitest'
import { madSorted, medianSorted } from './median.ts'

/** The oracle; by default it takes values within 1e-12 for equal when it selects. */
const { mad, median } = create(all!, { relTol: Number.MIN_VALUE, absTol: 0 })

/** Tells no -0 from 0. */
const plain = (number: number) => number + 0
const sorted = (values: number[]) => Float64Array.from(values).sort()
const values = fc.array(fc.double({ min: -1e12, max: 1e12, noNaN: true }), { minLength: 1, maxLength: 200 })
/** Few distinct values, so that most are repeated. */
const repeated = fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 1, maxLength: 40 })

test.each([
  ['spread values', values],
  ['mostly equal values', repeated],
])('median and MAD of %s are exactly those of mathjs', (_, arbitrary) => {
  fc.assert(
    fc.property(arbitrary, (list) => {
      const centre = medianSorted(sorted(list))
      expect(plain(centre)).toBe(plain(median(list)))
      expect(madSorted(sorted(list), centre)).toBe(mad(list))
    }),
  )
})

test.each([
  ['one value', [7], 7, 0],
  ['two values', [1, 2], 1.5, 0.5],
  ['a constant', [5, 5, 5, 5], 5, 0],
  ['an outlier', [1, 2, 10], 2, 1],
  ['more than half equal', [3, 3, 3, 100], 3, 0],
  ['duplicates on both sides', [1, 1, 2, 3, 3], 2, 1],
  ['a tiny spread on a huge offset', [1e15, 1e15 + 1, 1e15 + 2], 1e15 + 1, 1],
  ['negative values', [-10, -2, -1], -2, 1],
])('%s', (_, list, centre, deviation) => {
  expect(medianSorted(list)).toBe(centre)
  expect(madSorted(list, centre)).toBe(deviation)
})

test('two values near the largest double do not overflow', () => {
  expect(medianSorted([1.7e308, 1.7e308])).toBe(1.7e308)
  expect(medianSorted([-1.7e308, 1.7e308])).toBe(0)
})

test('the smallest doubles are not lost', () => {
  expect(medianSorted([5e-324, 5e-324])).toBe(5e-324)
  expect(medianSorted([0, 1e-323])).toBe(5e-324)
})

test('neither is NaN or infinite for any finite values', () => {
  const finite = fc.double({ noNaN: true, noDefaultInfinity: true })
  fc.assert(
    fc.property(fc.array(finite, { minLength: 1, maxLength: 9 }), (list) => {
      const centre = medianSorted(sorted(list))
      expect(Number.isFinite(centre)).toBe(true)
      expect(madSorted(sorted(list), centre)).toBeLessThanOrEqual(Number.MAX_VALUE)
    }),
  )
})

test('of no values there is neither', () => {
  expect(() => medianSorted([])).toThrow(RangeError)
  expect(() => madSorted([], 0)).toThrow(RangeError)
})
