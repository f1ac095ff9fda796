import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { backoffMs } from './backoff.ts'
import { joinBytes, MAX_VALUE_BYTES, splitBytes } from './byte-pieces.ts'
import { nextAlarm } from './next-alarm.ts'

describe('nextAlarm', () => {
  it.each([
    ['the earliest of what is due', [300, 200, undefined], 100, 200],
    ['at once when that is past', [50, 200], 100, 100],
    ['never when nothing is due', [undefined], 100, undefined],
    ['at once for what was due for ever', [Number.NEGATIVE_INFINITY], 100, 100],
  ])('rings for %s', (_, due, now, at) => {
    expect(nextAlarm(due, now)).toBe(at)
  })
})

describe('backoffMs', () => {
  it('doubles from the base to the cap', () => {
    const waits = [0, 1, 2, 3, 4, 5, 100].map((attempt) => backoffMs(attempt, 30_000, 600_000, () => 0))
    expect(waits).toEqual([30_000, 60_000, 120_000, 240_000, 480_000, 600_000, 600_000])
  })

  it('takes at most a quarter off at random', () => {
    expect(backoffMs(0, 1000, 1000, () => 0.999)).toBeGreaterThanOrEqual(750)
  })
})

describe('splitBytes', () => {
  it('cuts bytes into values that the storage takes, and joinBytes mends them', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(0, 1, MAX_VALUE_BYTES - 1, MAX_VALUE_BYTES, MAX_VALUE_BYTES + 1, 5_000_000),
        (length) => {
          const bytes = new Uint8Array(length).map((_, i) => i % 251)
          const pieces = splitBytes(bytes)
          expect(pieces.length).toBeGreaterThan(0)
          expect(pieces.every((piece) => piece.length <= MAX_VALUE_BYTES)).toBe(true)
          expect(Buffer.compare(joinBytes(pieces.map((piece) => new Uint8Array(piece).buffer)), bytes)).toBe(
            0,
          )
        },
      ),
      { numRuns: 12 },
    )
  })
})
