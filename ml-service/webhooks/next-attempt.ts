const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/**
 * Waits after a failed attempt, about 28 hours in all:
 *
 * | failed attempt | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 |
 * | --- | --- | --- | --- | --- | --- | --- | --- | --- |
 * | next after | 5 s | 5 min | 30 min | 2 h | 5 h | 10 h | 10 h | none |
 */
export const RETRY_DELAYS_MS = [
  5 * SECOND,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  10 * HOUR,
] as const

const JITTER = 0.1

/**
 * When to try again after `attempts` failed ones, up to a tenth later than the schedule so that endpoints
 * that fell together are not met together; undefined after the last. `random` is in [0, 1).
 */
export function nextAttemptAt(attempts: number, now: number, random: number): number | undefined {
  const delay = RETRY_DELAYS_MS[attempts - 1]
  return delay === undefined ? undefined : Math.round(now + delay * (1 + JITTER * random))
}
