import { expect, it } from 'vitest'
import { questionsOf } from './questions.ts'
import { stagesOf } from './stages.ts'

const MINUTE = 60_000

/** Rows at these minutes as stages: their rows, and of which window (in windows from the start) which row asks. */
function staged(...minutes: number[]) {
  const times = Float64Array.from(minutes, (minute) => minute * MINUTE)
  const values = times.map((_, row) => (minutes[row]! % 1 === 0 ? 1 : Number.NaN))
  const questions = questionsOf(times, values)
  return stagesOf(times, values, questions).map(({ from, to, first, last }) => ({
    rows: [...times.keys()].slice(from, to),
    asked: questions.slice(first, last).map(({ row, windowStart }) => [row, windowStart / (5 * MINUTE)]),
  }))
}

it('stores at once what comes in order', () => {
  expect(staged(0, 5, 10, 15)).toEqual([
    {
      rows: [0, 1, 2, 3],
      asked: [
        [1, 0],
        [1, 1],
        [2, 2],
        [3, 3],
      ],
    },
  ])
})

it('waits with a row that changes a window which was told, and with all that come after it', () => {
  expect(staged(0, 5, 10, 11, 15, 20)).toEqual([
    {
      rows: [0, 1, 2],
      asked: [
        [1, 0],
        [1, 1],
        [2, 2],
      ],
    },
    {
      rows: [3, 4, 5],
      asked: [
        [3, 2],
        [4, 3],
        [5, 4],
      ],
    },
  ])
})
