import { expect, it } from 'vitest'
import { nextAttemptAt, RETRY_DELAYS_MS } from './next-attempt.ts'

it('nextAttemptAt() follows the schedule for about 28 hours and then ends', () => {
  const waits = [1, 2, 3, 4, 5, 6, 7].map((attempts) => nextAttemptAt(attempts, 0, 0))
  expect(waits).toEqual([...RETRY_DELAYS_MS])
  expect(RETRY_DELAYS_MS.reduce((sum, wait) => sum + wait, 0) / 3600_000).toBeCloseTo(27.6, 1)
  expect(nextAttemptAt(8, 0, 0)).toBeUndefined()
})

it('nextAttemptAt() is never early and at most a tenth late', () => {
  expect(nextAttemptAt(1, 1000, 0.999)).toBe(6500)
  expect(nextAttemptAt(1, 1000, 0)).toBe(6000)
})
