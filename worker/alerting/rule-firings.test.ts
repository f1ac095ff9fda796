import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { judgeAlert, NEW_CURSOR } from '../../ml-service/alerts/judge-alert.ts'
import { type Firing, type FiringRule, firingsOf, type StoredScore } from './rule-firings.ts'

const WINDOW_MS = 300_000

const PLAIN = { direction: 'both' as const, minDeviation: 0, minDeviationRelative: 0 }

const scoresOf = (scores: Omit<StoredScore, 'windowEnd'>[]): StoredScore[] =>
  scores.map((scored, i) => ({ windowEnd: (i + 1) * WINDOW_MS, ...scored }))

/** What the ML service would have done with the same scores as they came. */
function judged(rule: FiringRule, scores: StoredScore[]): Firing[] {
  const own = { ...rule, id: 'r', metricId: 'm', maxAgeMs: 0 }
  let cursor = NEW_CURSOR
  const firings: Firing[] = []
  for (const scored of scores) {
    const judgement = judgeAlert(cursor, own, { ...scored, state: 'ready' })
    cursor = judgement.cursor
    if (judgement.effect?.kind === 'open') firings.push({ openedAt: scored.windowEnd, resolvedAt: undefined })
    if (judgement.effect?.kind === 'resolve') firings.at(-1)!.resolvedAt = scored.windowEnd
  }
  return firings
}

const deviations = fc.record({ amount: fc.integer({ min: -4, max: 4 }), expected: fc.constantFrom(-2, 4) })

describe('firingsOf()', () => {
  it.each([
    ['nothing below the threshold', [0.2, 0.99], 1, 0, []],
    ['an alert that ends where the score falls below', [0, 1, 2, 0], 1, 0, [[2, 4]]],
    ['an alert that is still open', [0, 1], 1, 0, [[2, undefined]]],
    ['nothing before enough windows in a row', [1, 0, 1, 1, 0], 2, 0, [[4, 5]]],
    [
      'one alert within the cooldown',
      [1, 0, 1, 0, 0, 1],
      1,
      900,
      [
        [1, 2],
        [6, undefined],
      ],
    ],
    ['nothing without scores', [], 1, 0, []],
  ])('gives %s', (_name, scores, forWindows, cooldownSeconds, expected) => {
    const firings = firingsOf(
      { ...PLAIN, threshold: 1, forWindows, cooldownMs: cooldownSeconds * 1000, resolveWindows: 1 },
      scoresOf(scores.map((score) => ({ score, deviation: undefined }))),
    )
    const inWindows = (ms: number | undefined) => (ms === undefined ? undefined : ms / WINDOW_MS)
    expect(firings.map(({ openedAt, resolvedAt }) => [inWindows(openedAt), inWindows(resolvedAt)])).toEqual(
      expected,
    )
  })

  it('is what the ML service does with the same scores', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            score: fc.constantFrom(0, 0.5, 1, 2),
            deviation: fc.option(deviations, { nil: undefined }),
          }),
          { maxLength: 40 },
        ),
        fc.record({
          threshold: fc.constantFrom(0.5, 1),
          direction: fc.constantFrom('above', 'below', 'both'),
          minDeviation: fc.constantFrom(0, 2),
          minDeviationRelative: fc.constantFrom(0, 0.5),
          forWindows: fc.integer({ min: 1, max: 4 }),
          resolveWindows: fc.integer({ min: 1, max: 4 }),
          cooldownMs: fc.constantFrom(0, 300_000, 900_000, 3_000_000),
        }),
        (scores, rule) => {
          expect(firingsOf(rule, scoresOf(scores))).toEqual(judged(rule, scoresOf(scores)))
        },
      ),
    )
  })
})
