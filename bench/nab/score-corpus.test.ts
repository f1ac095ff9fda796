import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bestThreshold, PROFILES, type ScoredFile, scoreCorpus } from './score-corpus.ts'

/** 100 rows, two labelled windows of 10; rows before 15 are not scored. */
function file(...alarms: number[]): ScoredFile {
  const scores = new Float64Array(100)
  for (const row of alarms) scores[row] = 1
  return {
    scores,
    windows: [
      [40, 49],
      [70, 79],
    ],
  }
}

const standard = (...files: ScoredFile[]) => scoreCorpus(files, 1, PROFILES.standard).score

describe('scoreCorpus()', () => {
  it('gives 0 for silence and 100 for the first row of every window, in every profile', () => {
    for (const profile of Object.values(PROFILES)) {
      expect(scoreCorpus([file()], 1, profile)).toEqual({ score: 0, found: 0, windows: 2, falseRows: 0 })
      const perfect = scoreCorpus([file(40, 70), file(40, 70)], 1, profile)
      expect(perfect).toEqual({ score: 100, found: 4, windows: 4, falseRows: 0 })
    }
  })

  it('counts the earliest alarm of a window, and less the later it comes', () => {
    expect(standard(file(45, 46, 47))).toBe(standard(file(45)))
    // Half of a window of 10 is left at its row 5: (2 / (1 + e^-2.5) - 1) / (2 / (1 + e^-5) - 1), of two windows.
    expect(standard(file(45))).toBeCloseTo(100 * (1 + 0.848284 / 0.986614) * 0.25, 3)
    expect(standard(file(49))).toBeGreaterThan(standard(file()))
  })

  it('charges 0.11 for an alarm row outside, twice that for few false alarms, less just after a window', () => {
    const cost = (row: number, profile = PROFILES.standard) =>
      -scoreCorpus([file(row)], 1, profile).score / 25
    expect(cost(20)).toBeCloseTo(0.11, 9)
    expect(cost(20, PROFILES.low_FP)).toBeCloseTo(0.22, 9)
    expect(cost(99)).toBeCloseTo(0.11, 4)
    // 1 / 9 of the window's width after its end: 1 - 2 / (1 + e^(5 / 9)) of the full cost.
    expect(cost(50)).toBeCloseTo(0.11 * 0.270811, 5)
    expect(cost(50)).toBeLessThan(cost(52))
  })

  it('does not score the first 15 % of a file, 750 rows at most', () => {
    expect(standard(file(0, 14))).toBe(0)
    expect(standard(file(15))).toBeLessThan(0)
    const long: ScoredFile = { scores: new Float64Array(20_000), windows: [] }
    long.scores[749] = 1
    expect(scoreCorpus([long, file()], 1, PROFILES.standard).falseRows).toBe(0)
    long.scores[750] = 1
    expect(scoreCorpus([long, file()], 1, PROFILES.standard).falseRows).toBe(1)
  })

  it('counts a missed window twice where misses are to be few', () => {
    // One of two found: raw 1 - 2 on a scale from -4 to 2.
    expect(scoreCorpus([file(40)], 1, PROFILES.low_FN).score).toBeCloseTo(50, 9)
    const late = scoreCorpus([file(40, 10)], 1, PROFILES.low_FN).score
    expect(late).toBeCloseTo(50, 9)
  })
})

describe('bestThreshold()', () => {
  it('finds no worse threshold than trying every one', () => {
    const scores = fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 100, maxLength: 100 })
    fc.assert(
      fc.property(fc.array(scores, { minLength: 1, maxLength: 3 }), (all) => {
        const files = all.map((one) => ({ ...file(), scores: Float64Array.from(one) }))
        for (const profile of Object.values(PROFILES)) {
          const tried = [0, 1, 2, 3, 4, 5, 6, 7].map((t) => scoreCorpus(files, t, profile).score)
          const found = bestThreshold(files, profile)
          expect(scoreCorpus(files, found, profile).score).toBeCloseTo(Math.max(...tried), 9)
        }
      }),
    )
  })

  it('is infinite where every alarm costs', () => {
    const silent: ScoredFile = { scores: Float64Array.from({ length: 50 }, (_, i) => i), windows: [] }
    expect(bestThreshold([silent], PROFILES.standard)).toBe(Number.POSITIVE_INFINITY)
  })
})
