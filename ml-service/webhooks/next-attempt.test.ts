import { expect, it } from 'vitest'
import { nextAttemptAt, RETRY_DELAYS_MS, retryAfterMs } from './next-attempt.ts'

const HOUR = 3_600_000

it('nextAttemptAt() follows the schedule for about 28 hours and then ends', () => {
  const waits = [1, 2, 3, 4, 5, 6, 7].map((attempts) => nextAttemptAt(attempts, { now: 0, random: 0 }))
  expect(waits).toEqual([...RETRY_DELAYS_MS])
  expect(RETRY_DELAYS_MS.reduce((sum, wait) => sum + wait, 0) / HOUR).toBeCloseTo(27.6, 1)
  expect(nextAttemptAt(8, { now: 0, random: 0 })).toBeUndefined()
})

it('nextAttemptAt() is never early and at most a tenth late', () => {
  expect(nextAttemptAt(1, { now: 1000, random: 0.999 })).toBe(6500)
  expect(nextAttemptAt(1, { now: 1000, random: 0 })).toBe(6000)
})

it.each([
  ['waits as long as the receiver asks', 1, 60_000, 60_000],
  ['waits no longer than an hour because of it', 1, 5 * HOUR, HOUR],
  ['is not earlier than the schedule because of it', 4, 1_000, 2 * HOUR],
  ['makes no attempt beyond the last', 8, 1_000, undefined],
])('nextAttemptAt() %s', (_, attempts, wanted, at) => {
  expect(nextAttemptAt(attempts, { now: 0, random: 0, retryAfterMs: wanted })).toBe(at)
})

it.each<[string | undefined, number]>([
  [undefined, 0],
  ['0', 0],
  ['120', 120_000],
  ['Thu, 01 Jan 2026 00:02:00 GMT', 120_000],
  ['Wed, 31 Dec 2025 23:00:00 GMT', 0],
  ['-5', 0],
  ['1.5', 0],
  ['soon', 0],
  ['2026', 2_026_000],
  ['99999999999999999999', 0],
  ['', 0],
])('retryAfterMs() reads %j', (header, wanted) => {
  expect(retryAfterMs(header, Date.UTC(2026, 0, 1))).toBe(wanted)
})
