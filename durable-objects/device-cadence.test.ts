import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Cadence, learnArrival, OCCASION_MS, usualIntervalMs } from './device-cadence.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** What is usual after arrivals with these times between them. */
function usualAfter(gapsMs: number[]): number | undefined {
  const cadence: Cadence = { occasionMs: 0, intervalsMs: [] }
  let now = 0
  for (const gap of gapsMs) {
    now += gap
    learnArrival(cadence, now, 0)
  }
  return usualIntervalMs(cadence)
}

const times = <T>(count: number, ...values: T[]): T[] => Array.from({ length: count }, () => values).flat()

describe('the usual cadence', () => {
  it.each<[string, number[], number | undefined]>([
    ['is not known of a device that has been heard once', [], undefined],
    ['is not known after three intervals', times(3, MINUTE), undefined],
    ['is known after four', times(4, MINUTE), MINUTE],
    ['is the longest but one interval', [MINUTE, 2 * MINUTE, 3 * MINUTE, MINUTE], 2 * MINUTE],
    ['is not moved by one outage', [...times(20, MINUTE), 10 * HOUR, ...times(3, MINUTE)], MINUTE],
    [
      'follows a device that sends less often from now on, after two',
      [...times(20, MINUTE), HOUR, HOUR],
      HOUR,
    ],
    ['follows one that sends more often', [...times(20, HOUR), ...times(60, 5 * MINUTE)], 5 * MINUTE],
    ['is not shorter than an occasion', times(100, 1_000), OCCASION_MS],
    ['is bounded', times(8, 1000 * HOUR), 240 * HOUR],
  ])('%s', (_, gaps, expected) => {
    expect(usualAfter(gaps)).toBe(expected)
  })

  it('is that of the occasions, where a buffer comes in many batches', () => {
    const usual = usualAfter(times(6, HOUR, ...times(30, 500)))
    expect(usual).toBeGreaterThan(HOUR - MINUTE)
    expect(usual).toBeLessThan(HOUR + MINUTE)
  })
})

it('the usual cadence is the longest but one of the last eight intervals, whatever they are', () => {
  const intervals = fc.array(fc.integer({ min: OCCASION_MS, max: 70_000 }), { minLength: 4, maxLength: 40 })
  fc.assert(
    fc.property(intervals, (gaps) => {
      const [, second] = gaps.slice(-8).toSorted((a, b) => b - a)
      expect(usualAfter(gaps)).toBe(second)
    }),
  )
})

it('time before the count begins is not learned', () => {
  const cadence: Cadence = { occasionMs: 0, intervalsMs: [MINUTE] }
  learnArrival(cadence, 10 * HOUR, 5 * HOUR)
  expect(cadence).toEqual({ occasionMs: 10 * HOUR, intervalsMs: [MINUTE] })
  learnArrival(cadence, 10 * HOUR + MINUTE, 5 * HOUR)
  expect(cadence.intervalsMs).toEqual([MINUTE, MINUTE])
})
