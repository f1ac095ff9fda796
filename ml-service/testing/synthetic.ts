import type { Point } from './seed-tenant.ts'

export const WINDOW = 300_000

/** Uniform numbers in [0, 1) from a seed (mulberry32), so that a test's data never change. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/**
 * One datapoint a window from `start` on: 1 above or below `level`, by chance, so that nothing is new after the first hours
 * but what `change` makes of it.
 */
export function steadyPoints(
  start: number,
  windows: number,
  options: { level?: number; seed?: number; change?: (i: number, value: number) => number } = {},
): Point[] {
  const { level = 70, seed = 1, change = (_i, value) => value } = options
  const random = seededRandom(seed)
  return Array.from({ length: windows }, (_, i) => {
    const value = level + (random() < 0.5 ? -1 : 1)
    return [start + i * WINDOW + 1000, change(i, value)]
  })
}
