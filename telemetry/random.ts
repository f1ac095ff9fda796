/** A number in [0, 1), like Math.random: an argument wherever randomness is needed. */
export type Random = () => number

/**
 * A small seeded generator (mulberry32, public domain by Tommy Ettinger): the same seed gives the same numbers.
 * For sampling decisions, never for secrets.
 */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
