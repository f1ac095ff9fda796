import { expect, it } from 'vitest'
import { shownRange } from './shown-range.ts'

const span = { from: 0, to: 100_000 }

it.each([
  ['the whole span when all of the data is proposed', [20, 30, 40], 20, 40, [0, 100]],
  ['the whole span for a single value', [20], 20, 86_420, [0, 100]],
  ['the whole span without data', [], 0, 1, [0, 100]],
  ['a zoom as it is', [20, 30, 40], 25, 40, [25, 40]],
])('shownRange() gives %s', (_name, time, min, max, shown) => {
  expect(shownRange(time, min, max, span)).toEqual(shown)
})
