import { expect, it } from 'vitest'
import { deviationOf } from './deviation.ts'

const EXPECTED = { low: 10, high: 30 }
const window = (min: number, median: number, max: number) => ({ min, median, max })

it.each([
  ['a median above what was expected lies above, whatever else the window holds', window(-99, 31, 32), 11],
  ['a median below lies below', window(5, 9, 99), -11],
  ['a median at the edge has not left', window(29, 30, 45), 25],
  ['of values that scatter the farthest counts: a high one', window(15, 20, 90), 70],
  ['of values that scatter the farthest counts: a low one', window(-90, 20, 25), -110],
  ['a window of one value in the middle deviates by nothing', window(20, 20, 20), 0],
])('deviationOf(): %s', (_, features, amount) => {
  expect(deviationOf(features, EXPECTED)).toEqual({ amount, expected: 20 })
})

it('deviationOf() is undefined where nothing was expected', () => {
  expect(deviationOf(window(1, 2, 3), undefined)).toBeUndefined()
})

it('deviationOf() stays a number at the ends of what a double holds', () => {
  const huge = { low: -Number.MAX_VALUE, high: Number.MAX_VALUE / 2 }
  const deviation = deviationOf(window(0, Number.MAX_VALUE, Number.MAX_VALUE), huge)
  expect(deviation?.amount).toBeGreaterThan(0)
  expect(deviation?.expected).not.toBeNaN()
})
