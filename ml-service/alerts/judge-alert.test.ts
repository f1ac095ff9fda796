import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type AlertRule, judgeAlert, NEW_CURSOR, type ScoredWindow } from './judge-alert.ts'

const RULE: AlertRule & { metricId: string } = {
  id: 'r',
  metricId: 'm',
  threshold: 1,
  forWindows: 1,
  resolveWindows: 1,
  cooldownMs: 0,
  direction: 'both',
  minDeviation: 0,
  minDeviationRelative: 0,
  maxAgeMs: 86_400_000,
}
const DEVIATION = { amount: 5, expected: 100 }

/** Scores of windows 1, 2, 3…; 'L' is a window scored while learning. What each sets off: open, resolve or -. */
const CASES: { name: string; rule?: Partial<AlertRule>; scores: (number | 'L')[]; effects: string }[] = [
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
    name: 'an alert is over only after so many windows in a row below',
    rule: { resolveWindows: 3 },
    scores: [2, 0, 0, 2, 0, 0, 0, 0],
    effects: 'open - - - - - resolve -',
  },
  {
    name: 'windows below from before it opened do not help to resolve it',
    rule: { resolveWindows: 2 },
    scores: [0, 0, 2, 0, 0],
    effects: '- - open - resolve',
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
    name: 'learning windows neither open nor resolve, nor break a row',
    rule: { forWindows: 2, resolveWindows: 2 },
    scores: ['L', 2, 'L', 2, 'L', 0, 'L', 0],
    effects: '- - - open - - - resolve',
  },
]

it.each(CASES)('judgeAlert(): $name', ({ rule, scores, effects }) => {
  const windows = scores.map((score, i): ScoredWindow => {
    const window = { windowEnd: i + 1, deviation: DEVIATION }
    return score === 'L' ? { ...window, score: 9, state: 'learning' } : { ...window, score, state: 'ready' }
  })
  const { seen, cursor } = judgeAll({ ...RULE, ...rule }, windows)
  expect(seen.map((effect) => effect?.kind ?? '-').join(' ')).toBe(effects)
  expect(cursor.lastWindowEnd).toBe(scores.length)
  expect(cursor.sequence).toBe(seen.filter((effect) => effect !== undefined).length)
})

function judgeAll(rule: typeof RULE, windows: ScoredWindow[]) {
  let cursor = NEW_CURSOR
  const seen = windows.map((window) => {
    const judged = judgeAlert(cursor, rule, window)
    cursor = judged.cursor
    return judged.effect
  })
  return { seen, cursor }
}

/** Which deviations count at a score far above the threshold. */
it.each<[string, Partial<AlertRule>, [amount: number, expected: number] | undefined, boolean]>([
  ['either side without a direction', {}, [-5, 100], true],
  ['above', { direction: 'above' }, [5, 100], true],
  ['not below when above is asked for', { direction: 'above' }, [-5, 100], false],
  ['below', { direction: 'below' }, [-5, 100], true],
  ['not above when below is asked for', { direction: 'below' }, [5, 100], false],
  ['neither side when nothing deviates', { direction: 'above' }, [0, 100], false],
  ['exactly the least deviation', { minDeviation: 5 }, [-5, 100], true],
  ['not less than the least deviation', { minDeviation: 5.1 }, [5, 100], false],
  ['exactly the least share', { minDeviationRelative: 0.05 }, [5, -100], true],
  ['not less than the least share', { minDeviationRelative: 0.051 }, [5, -100], false],
  ['not what meets one of two', { minDeviation: 1, minDeviationRelative: 0.06 }, [5, 100], false],
  ['any deviation from an expected 0, however large its share', { minDeviationRelative: 9 }, [1e-9, 0], true],
  ['what has no expectation to deviate from', { direction: 'above', minDeviation: 99 }, undefined, true],
])('a rule heeds %s', (_, rule, deviation, opens) => {
  const [amount = 0, expected = 0] = deviation ?? []
  const window: ScoredWindow = {
    windowEnd: 1,
    score: 9,
    state: 'ready',
    deviation: deviation && { amount, expected },
  }
  expect(judgeAlert(NEW_CURSOR, { ...RULE, ...rule }, window).effect !== undefined).toBe(opens)
})

it('a window that no longer deviates enough resolves like one below the threshold', () => {
  const at = (windowEnd: number, amount: number): ScoredWindow => ({
    windowEnd,
    score: 9,
    state: 'ready',
    deviation: { amount, expected: 0 },
  })
  const { seen } = judgeAll({ ...RULE, direction: 'above', minDeviation: 3 }, [at(1, 4), at(2, 2), at(3, -4)])
  expect(seen.map((effect) => effect?.kind)).toEqual(['open', 'resolve', undefined])
})

it('judgeAlert() changes nothing on a window at or behind the cursor', () => {
  const cursor = { ...NEW_CURSOR, lastWindowEnd: 5 }
  for (const windowEnd of [4, 5]) {
    const judged = judgeAlert(cursor, RULE, { windowEnd, score: 9, state: 'ready', deviation: DEVIATION })
    expect(judged).toEqual({ cursor, effect: undefined })
  }
})

it('judgeAlert() names the same event by the same id, whoever judges', () => {
  const window: ScoredWindow = { windowEnd: 1, score: 2, state: 'ready', deviation: DEVIATION }
  const first = judgeAlert(NEW_CURSOR, RULE, window)
  expect(judgeAlert(NEW_CURSOR, RULE, window)).toEqual(first)
  const other = judgeAlert(NEW_CURSOR, { ...RULE, metricId: 'other' }, window)
  expect(other.effect?.eventId).not.toBe(first.effect?.eventId)
  const second = judgeAlert(first.cursor, RULE, { ...window, windowEnd: 2, score: 0 })
  expect(second.effect?.eventId).toBe(first.effect?.eventId)
})

/**
 * The oracle knows no cursor: it looks for the windows that open and resolve in the whole list at once, by looking
 * back from each over what came before.
 */
function oracle(rule: typeof RULE, windows: ScoredWindow[]): [kind: string, windowEnd: number][] {
  const ready = windows.filter(({ state }) => state === 'ready')
  const hit = ({ score }: ScoredWindow) => score >= rule.threshold
  const row = (end: number, length: number, from: number, wanted: boolean) =>
    end - length + 1 >= from && ready.slice(end - length + 1, end + 1).every((w) => hit(w) === wanted)
  const found: [string, number][] = []
  let closedAt = Number.NEGATIVE_INFINITY
  for (let from = 0; ; ) {
    const opens = ready.findIndex(
      (w, i) => i >= from && row(i, rule.forWindows, 0, true) && w.windowEnd >= closedAt + rule.cooldownMs,
    )
    if (opens === -1) return found
    found.push(['open', ready[opens]!.windowEnd])
    const resolves = ready.findIndex((_, i) => i > opens && row(i, rule.resolveWindows, opens + 1, false))
    if (resolves === -1) return found
    closedAt = ready[resolves]!.windowEnd
    found.push(['resolve', closedAt])
    from = resolves + 1
  }
}

const someRule = fc.record({
  forWindows: fc.integer({ min: 1, max: 4 }),
  resolveWindows: fc.integer({ min: 1, max: 4 }),
  cooldownMs: fc.integer({ min: 0, max: 12 }),
})
const someWindows = fc
  .array(
    fc.record({
      gap: fc.integer({ min: 1, max: 5 }),
      score: fc.constantFrom(0, 0.9, 1, 2),
      ready: fc.boolean(),
    }),
    {
      maxLength: 60,
    },
  )
  .map((list) => {
    let windowEnd = 0
    return list.map(({ gap, score, ready }): ScoredWindow => {
      windowEnd += gap
      return { windowEnd, score, state: ready || gap < 3 ? 'ready' : 'learning', deviation: DEVIATION }
    })
  })

it('any windows set off what the oracle finds, however often and however differently they are scored again', () => {
  const again = fc.array(fc.record({ back: fc.nat(20), length: fc.nat(20), score: fc.constantFrom(0, 5) }))
  fc.assert(
    fc.property(someRule, someWindows, again, (rule, windows, rescorings) => {
      const wanted = oracle({ ...RULE, ...rule }, windows)
      let cursor = NEW_CURSOR
      const seen: [string, number][] = []
      const judge = (window: ScoredWindow) => {
        const { cursor: next, effect } = judgeAlert(cursor, { ...RULE, ...rule }, window)
        expect(next.lastWindowEnd).toBeGreaterThanOrEqual(cursor.lastWindowEnd)
        cursor = next
        if (effect) seen.push([effect.kind, window.windowEnd])
      }
      windows.forEach((window, i) => {
        judge(window)
        const rescoring = rescorings[i]
        if (rescoring === undefined) return
        const { back, length, score } = rescoring
        const from = Math.max(0, i - back)
        for (const old of windows.slice(from, Math.min(i + 1, from + length))) judge({ ...old, score })
      })
      expect(seen).toEqual(wanted)
    }),
  )
})
