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

/** A receiver may ask for more time than the schedule gives, but not for more than this. */
const LONGEST_RETRY_AFTER_MS = HOUR

/**
 * When to try again after `attempts` failed ones, up to a tenth later than the schedule so that endpoints
 * that fell together are not met together, and not before the receiver's `Retry-After`; undefined after the
 * last. `random` is in [0, 1).
 */
export function nextAttemptAt(
  attempts: number,
  { now, random, retryAfterMs = 0 }: { now: number; random: number; retryAfterMs?: number },
): number | undefined {
  const scheduled = RETRY_DELAYS_MS[attempts - 1]
  if (scheduled === undefined) return undefined
  const delay = Math.max(scheduled, Math.min(retryAfterMs, LONGEST_RETRY_AFTER_MS))
  return Math.round(now + delay * (1 + JITTER * random))
}

/** A `Retry-After` in milliseconds from `now`: seconds or an HTTP date; 0 for what is neither. */
export function retryAfterMs(header: string | undefined, now: number): number {
  if (header === undefined) return 0
  if (/^\d{1,9}$/.test(header)) return Number(header) * SECOND
  const date = /GMT$/.test(header) ? Date.parse(header) : Number.NaN
  return Number.isNaN(date) ? 0 : Math.max(0, date - now)
}
