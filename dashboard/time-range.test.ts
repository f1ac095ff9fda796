import { expect, it } from 'vitest'
import { RANGES, rangeReaching, spanOf } from './time-range.ts'

const now = Date.UTC(2026, 0, 31)
const DAY_MS = 86_400_000

it('no range asks for more than the 92 days that the API reads at once', () => {
  for (const { name } of RANGES) {
    const { from, to } = spanOf(name, now)
    expect(to - from).toBeLessThanOrEqual(92 * DAY_MS)
  }
})

it('rangeReaching() names the shortest range that holds a time', () => {
  expect(rangeReaching(now, now)).toBe('24h')
  expect(rangeReaching(now - DAY_MS, now)).toBe('24h')
  expect(rangeReaching(now - DAY_MS - 1, now)).toBe('7d')
  expect(rangeReaching(now - 91 * DAY_MS, now)).toBeUndefined()
})
