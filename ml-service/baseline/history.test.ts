import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { WINDOW_MS } from '../../telemetry/window.ts'
import { History, rounded } from './history.ts'
import { restoredHistory, storedHistory } from './stored-arrays.ts'

/** Values of successive windows, each held back or not. */
const additions = fc.array(
  fc.tuple(
    fc
      .oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer({ min: -3, max: 3 }))
      .map(rounded),
    fc.boolean(),
  ),
  { minLength: 1, maxLength: 40 },
)

function filled(all: [value: number, held: boolean][], capacity: number): History {
  const history = new History(capacity)
  all.forEach(([value, held], i) => {
    history.add(i * WINDOW_MS, value, held)
  })
  return history
}

const sortedOf = (history: History) => Array.from({ length: history.known }, (_, i) => history.sortedAt(i))

/** Plain arrays that do the same. */
function oracle(all: [value: number, held: boolean][], capacity: number, released: number) {
  const kept = all.map(([value, held], i) => ({ value, isHeld: held && i >= released })).slice(-capacity)
  return {
    kept,
    known: kept.filter(({ isHeld }) => !isHeld).map(({ value }) => value),
    held: kept.filter(({ isHeld }) => isHeld).map(({ value }) => value),
  }
}

describe('History', () => {
  it('agrees with sorting the last values that are not held', () => {
    const numbers = {
      capacity: fc.integer({ min: 1, max: 12 }),
      released: fc.nat(40),
      p: fc.double({ min: 0, max: 1, noNaN: true }),
    }
    fc.assert(
      fc.property(additions, numbers.capacity, numbers.released, numbers.p, (all, capacity, released, p) => {
        const history = filled(all, capacity)
        history.releaseBefore(released * WINDOW_MS)
        const { kept, known, held } = oracle(all, capacity, released)
        const sorted = Float32Array.from(known).sort()
        expect([history.size, history.known]).toEqual([kept.length, known.length])
        expect(history.startAt(0)).toBe((all.length - kept.length) * WINDOW_MS)
        expect(kept.map((_, i) => history.valueAt(i))).toEqual(kept.map(({ value }) => value))
        expect(sortedOf(history)).toEqual([...sorted])
        expect(history.quantile(p)).toBe(sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))])
        expect(history.heldDistance(1.5)).toBe(
          Math.min(Number.POSITIVE_INFINITY, ...held.map((x) => Math.abs(x - 1.5))),
        )
      }),
    )
  })

  it('finds the nearest known value', () => {
    fc.assert(
      fc.property(
        additions,
        fc.double({ noNaN: true, noDefaultInfinity: true }).map(rounded),
        (all, value) => {
          const history = filled(all, 20)
          const { known } = oracle(all, 20, 0)
          const at = history.nearest(value)
          const distances = known.map((one) => Math.abs(one - value))
          expect(at === undefined ? undefined : Math.abs(history.sortedAt(at) - value)).toBe(
            known.length === 0 ? undefined : Math.min(...distances),
          )
        },
      ),
    )
  })

  it('collects the values of a stretch of time, both ends included, as far as there is room', () => {
    const history = filled(
      [0, 1, 2, 3, 4, 5, 6, 7].map((value) => [value, false]),
      5,
    )
    const into = new Float32Array(4)
    expect(history.collect(4 * WINDOW_MS, 6 * WINDOW_MS, into, 0)).toBe(3)
    expect(history.collect(0, 4 * WINDOW_MS, into, 3)).toBe(4)
    expect([...into]).toEqual([4, 5, 6, 3])
    expect(history.collect(9 * WINDOW_MS, 10 * WINDOW_MS, into, 0)).toBe(0)
  })

  it('is empty at first', () => {
    const history = new History(3)
    expect([
      history.size,
      history.known,
      history.quantile(0.5),
      history.nearest(1),
      history.startAt(0),
    ]).toEqual([0, 0, undefined, undefined, undefined])
  })
})

describe('restoredHistory()', () => {
  it('gives back what was stored, held values held', () => {
    fc.assert(
      fc.property(additions, fc.integer({ min: 1, max: 12 }), fc.nat(40), (all, capacity, released) => {
        const history = filled(all, capacity)
        history.releaseBefore(released * WINDOW_MS)
        const held = all.flatMap(([, isHeld], i) => (isHeld && i >= released ? [i * WINDOW_MS] : []))
        const copy = restoredHistory(storedHistory(history), capacity, new Set(held))
        for (const each of [history, copy]) each.add(all.length * WINDOW_MS, 0.5)
        expect(storedHistory(copy)).toEqual(storedHistory(history))
        expect(sortedOf(copy)).toEqual(sortedOf(history))
        expect(copy.heldDistance(0)).toBe(history.heldDistance(0))
      }),
    )
  })

  it('refuses what cannot have been stored', () => {
    const stored = storedHistory(filled([[1, false]], 3))
    const longer = storedHistory(
      filled(
        [1, 2, 3, 4].map((value) => [value, false]),
        4,
      ),
    )
    const notFinite = storedHistory(filled([[Number.NaN, false]], 3))
    const others = [longer, notFinite, { ...stored, steps: longer.steps }, { ...stored, values: 'AAAA' }]
    for (const other of others) expect(() => restoredHistory(other, 3, new Set())).toThrow()
  })
})
