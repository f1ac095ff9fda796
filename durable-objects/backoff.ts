/**
 * Waiting time before attempt `attempt + 1`: base × 2^attempt up to the cap, less up to a quarter of itself
 * at random, so that what failed together does not come back together.
 * With base 30 s and cap 10 min: 30 s, 1 min, 2 min, 4 min, 8 min, 10 min, 10 min, …
 */
export function backoffMs(attempt: number, baseMs: number, capMs: number, random: () => number): number {
  const fullMs = Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30))
  return Math.round(fullMs * (1 - 0.25 * random()))
}
