import { expect, it } from 'vitest'
import { type AlertCursor, judgeAlert, type ScoredWindow } from './judge-alert.ts'

const NEW: AlertCursor = {
  lastWindowEnd: Number.NEGATIVE_INFINITY,
  aboveWindows: 0,
  openEventId: undefined,
  closedAt: undefined,
  sequence: 0,
}
const RULE = { id: 'r', metricId: 'm', threshold: 1, forWindows: 1, cooldownMs: 0 }

/** Scores of windows 1, 2, 3…; 'L' is a window scored while learning. What each sets off: open, resolve or -. */
const CASES: { name: string; rule?: Partial<typeof RULE>; scores: (number | 'L')[]; effects: string }[] = [
  { name: 'nothing happens below the threshold', scores: [0, 0.5, 0.999], effects: '- - -' },
  { name: 'a score exactly at the threshold opens', scores: [0, 1], effects: '- open' },
  { name: 'an open alert says nothing more', scores: [2, 3, 1, 9], effects: 'open - - -' },
  { name: 'falling below the threshold resolves', scores: [2, 0.9, 0.9], effects: 'open resolve -' },
  { name: 'it opens again after it resolved', scores: [2, 0, 2], effects: 'open resolve open' },
  {
    name: 'several windows in a row are needed when the rule says so',
    rule: { forWindows: 3 },
    scores: [2, 2, 0, 2, 2, 2, 2],
    effects: '- - - - - open -',
  },
  {
    name: 'nothing opens while it cools down',
    rule: { cooldownMs: 3 },
    scores: [2, 0, 2, 2, 2],
    effects: 'open resolve - - open',
  },
  {
    name: 'a row that began while it cooled down counts',
    rule: { cooldownMs: 3, forWindows: 2 },
    scores: [2, 2, 0, 2, 2, 2],
    effects: '- open resolve - - open',
  },
  {
    name: 'learning windows neither open nor resolve',
    scores: ['L', 2, 'L', 0],
    effects: '- open - resolve',
  },
]

it.each(CASES)('judgeAlert(): $name', ({ rule, scores, effects }) => {
  let cursor = NEW
  const seen = scores.map((score, i) => {
    const window: ScoredWindow =
      score === 'L'
        ? { windowEnd: i + 1, score: 9, state: 'learning' }
        : { windowEnd: i + 1, score, state: 'ready' }
    const judged = judgeAlert(cursor, { ...RULE, ...rule }, window)
    cursor = judged.cursor
    return judged.effect?.kind ?? '-'
  })
  expect(seen.join(' ')).toBe(effects)
  expect(cursor.lastWindowEnd).toBe(scores.length)
  expect(cursor.sequence).toBe(seen.filter((effect) => effect !== '-').length)
})

it('judgeAlert() changes nothing on a window at or behind the cursor', () => {
  const cursor = { ...NEW, lastWindowEnd: 5 }
  for (const windowEnd of [4, 5]) {
    expect(judgeAlert(cursor, RULE, { windowEnd, score: 9, state: 'ready' })).toEqual({
      cursor,
      effect: undefined,
    })
  }
})

it('judgeAlert() names the same event by the same id, whoever judges', () => {
  const window: ScoredWindow = { windowEnd: 1, score: 2, state: 'ready' }
  const first = judgeAlert(NEW, RULE, window)
  expect(judgeAlert(NEW, RULE, window)).toEqual(first)
  expect(judgeAlert(NEW, { ...RULE, metricId: 'other' }, window).effect?.eventId).not.toBe(
    first.effect?.eventId,
  )
  const second = judgeAlert(first.cursor, RULE, { windowEnd: 2, score: 0, state: 'ready' })
  expect(second.effect?.eventId).toBe(first.effect?.eventId)
})
