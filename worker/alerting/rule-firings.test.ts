import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AlertCursor, judgeAlert } from '../../ml-service/alerts/judge-alert.ts'
import { type Firing, type FiringRule, firingsOf, type StoredScore } from './rule-firings.ts'

const WINDOW_MS = 300_000

const scoresOf = (scores: number[]): StoredScore[] =>
  scores.map((score, i) => ({ windowEnd: (i + 1) * WINDOW_MS, score }))

/** What the ML service would have done with the same scores as they came. */
function judged(rule: FiringRule, scores: StoredScore[]): Firing[] {
  const own = {
    ...{ id: 'r', metricId: 'm', threshold: rule.threshold, forWindows: rule.for_windows },
    ...{ cooldownMs: rule.cooldown_seconds * 1000, resolveWindows: rule.resolve_windows, maxAgeMs: 0 },
    ...{ direction: 'both' as const, minDeviation: 0, minDeviationRelative: 0 },
  }
  let cursor: AlertCursor = {
    ...{ lastWindowEnd: Number.NEGATIVE_INFINITY, aboveWindows: 0, belowWindows: 0, sequence: 0 },
    ...{ openEventId: undefined, closedAt: undefined },
  }
  const firings: Firing[] = []
  for (const score of scores) {
    const judgement = judgeAlert(cursor, own, { ...score, state: 'ready', deviation: undefined })
    cursor = judgement.cursor
    if (judgement.effect?.kind === 'open') firings.push({ openedAt: score.windowEnd, resolvedAt: undefined })
    if (judgement.effect?.kind === 'resolve') firings.at(-1)!.resolvedAt = score.windowEnd
  }
  return firings
}

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
  ])('gives %s', (_name, scores, for_windows, cooldown_seconds, expected) => {
    const firings = firingsOf(
      { threshold: 1, for_windows, cooldown_seconds, resolve_windows: 1 },
      scoresOf(scores),
    )
    const inWindows = (ms: number | undefined) => (ms === undefined ? undefined : ms / WINDOW_MS)
    expect(firings.map(({ openedAt, resolvedAt }) => [inWindows(openedAt), inWindows(resolvedAt)])).toEqual(
      expected,
    )
  })

  it('is what the ML service does with the same scores', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(0, 0.5, 1, 2), { maxLength: 40 }),
        fc.record({
          threshold: fc.constantFrom(0.5, 1),
          for_windows: fc.integer({ min: 1, max: 4 }),
          resolve_windows: fc.integer({ min: 1, max: 4 }),
          cooldown_seconds: fc.constantFrom(0, 300, 900, 3000),
        }),
        (scores, rule) => {
          expect(firingsOf(rule, scoresOf(scores))).toEqual(judged(rule, scoresOf(scores)))
        },
      ),
    )
  })
})
