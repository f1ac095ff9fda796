import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { clamp, isWhole, MIN_SHOWN_MS, pan, zoom } from './navigate.ts'

const HOUR = 3_600_000
const whole = { from: 0, to: 100 * HOUR }
const shown = { from: 40 * HOUR, to: 60 * HOUR }
const hours = (from: number, to: number) => ({ from: from * HOUR, to: to * HOUR })

describe('what is shown', () => {
  it.each([
    ['moves by a share of its width', pan(shown, whole, 0.5), hours(50, 70)],
    ['stops at the end', pan(shown, whole, 9), hours(80, 100)],
    ['stops at the start', pan(shown, whole, -9), hours(0, 20)],
    ['does not move when it is everything', pan(whole, whole, 0.5), whole],
    ['halves around its middle', zoom(shown, whole, 0.5), hours(45, 55)],
    ['halves around the pointer', zoom(shown, whole, 0.5, 0), hours(40, 50)],
    ['doubles', zoom(shown, whole, 2), hours(30, 70)],
    ['grows to everything at most', zoom(shown, whole, 50), whole],
    [
      'stays wide enough to read',
      zoom(shown, whole, 1e-9, 0),
      { from: shown.from, to: shown.from + MIN_SHOWN_MS },
    ],
    ['is cut to what is there', clamp(hours(-5, 10), whole), hours(0, 15)],
  ])('%s', (_name, result, expected) => {
    expect(result).toEqual(expected)
  })

  it('never leaves the whole, whatever is done to it', () => {
    const step = fc.oneof(
      fc.record({ share: fc.double({ min: -3, max: 3, noNaN: true }) }),
      fc.record({
        factor: fc.double({ min: 0.01, max: 20, noNaN: true }),
        at: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const end = steps.reduce(
          (span, each) =>
            'share' in each ? pan(span, whole, each.share) : zoom(span, whole, each.factor, each.at),
          shown,
        )
        expect(end.from).toBeGreaterThanOrEqual(whole.from)
        expect(end.to).toBeLessThanOrEqual(whole.to)
        expect(end.to - end.from).toBeGreaterThanOrEqual(MIN_SHOWN_MS - 1)
      }),
    )
  })

  it('is known to be everything', () => {
    expect([isWhole(whole, whole), isWhole(shown, whole)]).toEqual([true, false])
  })
})
