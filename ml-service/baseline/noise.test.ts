import { describe, expect, it } from 'vitest'
import { seededRandom, WINDOW } from '../testing/synthetic.ts'
import { normal } from '../testing/telemetry.ts'
import { emptyBaseline } from './baseline.ts'
import { beyondNoise, leastLimit, noiseAt, quietAbout } from './noise.ts'

const HOUR = 12 // windows
const DAY = 24 * HOUR

/** A baseline that has the levels `of` a window, up to `end`. */
function baselineOf(of: (i: number) => number, end: number) {
  const baseline = emptyBaseline()
  for (let i = 0; i < end; i += 1) baseline.histories.level.add(i * WINDOW, Math.fround(of(i)))
  return baseline
}

/** As of a day and up to six hours after the levels end: what is younger does not count. */
const noiseOf = (of: (i: number) => number, end = 3 * DAY) =>
  noiseAt(baselineOf(of, end), (end + DAY + 6 * HOUR - 1) * WINDOW)

describe('noiseAt()', () => {
  const random = seededRandom(3)
  const white = Array.from({ length: 3 * DAY }, () => normal(random))

  it.each([
    ['alone', () => 0],
    ['on a daily wave', (i: number) => 100 * Math.sin((2 * Math.PI * i) / DAY) ** 2 * 0.3],
    ['on a level that shifts', (i: number) => (i < 2.5 * DAY ? 0 : 40)],
    ['with a spike every four hours', (i: number) => (i % (4 * HOUR) === 0 ? 500 : 0)],
  ])('is the standard deviation of normal noise %s, within a fifth', (_, of) => {
    const noise = noiseOf((i) => 7 * white[i]! + of(i))
    expect(noise / 7).toBeGreaterThan(0.8)
    expect(noise / 7).toBeLessThan(1.2)
  })

  it.each([6, 8, 12, 24, 48, 72])('is not a cycle of %i windows', (cycle) => {
    const course = (i: number) => 50 * Math.sin((2 * Math.PI * i) / cycle)
    expect(noiseOf((i) => course(i) + white[i]!)).toBeLessThan(1.2)
  })

  it('is not what goes to and fro', () => {
    expect(noiseOf((i) => (i % 2) * 50 + white[i]!)).toBeLessThan(1.3)
    expect(noiseOf((i) => (i % 3) * 50 + white[i]!)).toBeLessThan(1.3)
  })

  it.each([24, 37, 48, 72, 100])('is not told too small by as few as %i windows', (count) => {
    const draws = Array.from({ length: 40 }, (_, k) => noiseOf((i) => white[7 * k + i]!, count))
    expect(draws.reduce((sum, noise) => sum + noise) / draws.length).toBeGreaterThan(0.65)
  })

  it('is 0 where nothing moves and where nothing is known', () => {
    expect(noiseOf(() => 4)).toBe(0)
    expect(noiseOf((i) => white[i]!, 3)).toBe(0)
    expect(noiseOf(() => 4, 0)).toBe(0)
  })

  it('is the same for all windows of a quarter of a day, and of what is a day old', () => {
    const baseline = baselineOf((i) => white[i]!, 2 * DAY)
    const atFirst = noiseAt(baseline, 2 * DAY * WINDOW)
    for (let i = 2 * DAY; i < 3 * DAY; i += 1) {
      baseline.measured = undefined // as after reading an artefact
      const again = noiseAt(baseline, i * WINDOW)
      if (i < 2 * DAY + 6 * HOUR) expect(again).toBe(atFirst)
      expect(again).toBeLessThan(1.3)
      baseline.histories.level.add(i * WINDOW, Math.fround(1000 * white[i]!))
    }
  })
})

describe('beyondNoise()', () => {
  const quiet = quietAbout('level', [10, 20], 2)!

  it('is below 1 within 4.75 times the noise about any of the levels that are usual', () => {
    for (const inside of [0.6, 10, 15, 20, 29.4]) expect(beyondNoise(inside, quiet)).toBeLessThan(1)
    for (const outside of [0.4, 29.6]) expect(beyondNoise(outside, quiet)).toBeGreaterThan(1)
    expect(beyondNoise(39, quiet)).toBeCloseTo(8)
  })

  it('has no say where there is no noise, nor in views that look into windows', () => {
    expect(beyondNoise(10, quietAbout('level', [10], 0)!)).toBe(Number.POSITIVE_INFINITY)
    expect(quietAbout('std', [10], 1)).toBeUndefined()
  })

  it('knows that a mean of three has less noise', () => {
    expect(quietAbout('smooth', [10], 1)!.by).toBeCloseTo(4.75 / Math.sqrt(3))
  })
})

describe('leastLimit()', () => {
  it('is three quarters of the noise, on the logarithmic scale about the metric’s middle', () => {
    const { level } = baselineOf((i) => 99 + (i % 3) - 1, 30).histories
    expect(leastLimit('level', 2, level)).toBe(1.5)
    expect(leastLimit('log', 2, level)).toBeCloseTo(0.015)
    expect(leastLimit('smooth', 2, level)).toBeCloseTo(1.5 / Math.sqrt(3))
    expect(leastLimit('std', 2, level)).toBe(0)
  })
})
