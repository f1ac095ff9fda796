import { expect, test } from 'vitest'
import { WINDOW_MS, windowStartOf } from './window.ts'

test.each([
  ['the epoch starts a window', 0, 0],
  ['a start belongs to its own window', 300_000, 300_000],
  ['the last millisecond belongs to the window before', 299_999, 0],
  ['windows are aligned to the epoch', Date.UTC(2026, 0, 1, 0, 7, 30), Date.UTC(2026, 0, 1, 0, 5)],
  ['before the epoch the start still lies below', -1, -300_000],
])('%s', (_, ts, start) => {
  expect(windowStartOf(ts)).toBe(start)
})

test('a window lasts 300 seconds', () => {
  expect(WINDOW_MS).toBe(300 * 1000)
})
