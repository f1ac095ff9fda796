import { expect, it } from 'vitest'
import { MAX_SPAN_MS, parseSpan, RANGES, rangeReaching, spanOf, spanText } from './time-range.ts'

const now = Date.UTC(2026, 0, 31)
const DAY_MS = 86_400_000

it('no range asks for more than the 92 days that the API reads at once', () => {
  for (const { name } of RANGES) {
    const { from, to } = spanOf(name, now)
    expect(to - from).toBeLessThanOrEqual(92 * DAY_MS)
  }
})

it('rangeReaching() names the shortest range that holds a time', () => {
  expect(rangeReaching(now, now)).toBe('1h')
  expect(rangeReaching(now - DAY_MS, now)).toBe('24h')
  expect(rangeReaching(now - DAY_MS - 1, now)).toBe('7d')
  expect(rangeReaching(now - 91 * DAY_MS, now)).toBeUndefined()
})

it('a span stands in a link as two instants', () => {
  const span = { from: now - DAY_MS, to: now }
  expect(spanText(span)).toBe('2026-01-30T00:00:00Z~2026-01-31T00:00:00Z')
  expect(parseSpan(spanText(span))).toEqual(span)
})

it.each([
  null,
  '',
  'yesterday~today',
  '2026-01-31T00:00:00Z',
  '2026-01-31T00:00:00Z~2026-01-31T00:00:00Z',
  '2026-02-01T00:00:00Z~2026-01-31T00:00:00Z',
  spanText({ from: now - MAX_SPAN_MS - 1000, to: now }),
])('%j is no span', (text) => {
  expect(parseSpan(text)).toBeUndefined()
})
