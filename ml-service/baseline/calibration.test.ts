import fc from 'fast-check'
import { exp, log, mean } from 'mathjs'
import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../telemetry/random.ts'
import { Calibration, KEPT_DISTANCES } from './calibration.ts'

function calibrated(distances: number[]): Calibration {
  const calibration = new Calibration()
  for (const distance of distances) calibration.add(distance)
  return calibration
}

describe('Calibration', () => {
  it('knows no limit before it has six distances', () => {
    expect(calibrated([1, 2, 3, 4, 5]).limit(0.01)).toBeUndefined()
    expect(calibrated([1, 2, 3, 4, 5, 6]).limit(1)).toBe(1)
  })

  it('agrees with fitting an exponential tail to all distances, sorted with mathjs', () => {
    const distances = fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), {
      minLength: 6,
      maxLength: 1500,
    })
    fc.assert(
      fc.property(distances, fc.double({ min: 1e-5, max: 1, noNaN: true }), (all, rarity) => {
        const length = Math.max(5, Math.ceil(0.02 * all.length))
        const descending = all.toSorted((a, b) => b - a)
        const base = descending[length]!
        const excess = Number(mean(descending.slice(0, length))) - base
        const expected = base + excess * Math.max(0, Number(log(length / all.length / rarity)))
        expect(calibrated(all).limit(rarity)).toBeCloseTo(expected, 5)
      }),
      { numRuns: 60 },
    )
  })

  it('finds the distance of a given rarity where distances are exponential, far beyond those it has seen', () => {
    const random = seededRandom(3)
    const limit = calibrated(Array.from({ length: 3000 }, () => -Math.log(1 - random()))).limit(
      Number(exp(-9)),
    )!
    expect(limit).toBeGreaterThan(7)
    expect(limit).toBeLessThan(11)
  })

  it('forgets a generation that is two generations old, and its memory stays bounded', () => {
    const calibration = calibrated(Array.from({ length: 50 }, () => 1000))
    for (let i = 0; i < 4032 * 2; i += 1) calibration.add(1)
    expect(calibration.limit(0.001)).toBe(1)
    expect(calibration.size).toBeLessThanOrEqual(2 * 4032)
    expect(calibration.generations.every(({ top }) => top.length <= KEPT_DISTANCES)).toBe(true)
  })
})
