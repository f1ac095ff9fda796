import { describe, expect, it } from 'vitest'
import { MAX_READ_BYTES, shownWindows } from './window-page.ts'

const windows = (...bytes: number[]) => bytes.map((readBytes) => ({ readBytes }))

describe('shownWindows', () => {
  it.each([
    ['none', [], 10, 10],
    ['small ones', [0, 0, 0], 2, 2],
    ['what fits exactly', [MAX_READ_BYTES, 0, 1], 10, 2],
    ['one that is too large by itself', [MAX_READ_BYTES + 1, 0], 10, 1],
    ['many that are too large together', [MAX_READ_BYTES - 1, 1, 1, 1], 10, 2],
  ])('of %s', (_, bytes, limit, shown) => {
    expect(shownWindows(windows(...bytes), limit)).toBe(shown)
  })
})
