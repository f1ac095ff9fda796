import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { changeIn, seenIn, unitHistory } from './testing/unit-history.ts'
import { type UnitRecord, type UnitSeen, withUnit } from './unit-record.ts'

const recordOf = (history: UnitSeen[]) =>
  history.reduce<UnitRecord | undefined>((record, seen) => withUnit(record, seen), undefined)

describe('withUnit', () => {
  test.each([
    ['C1', 'C', undefined, 1],
    ['C1 C2', 'C', undefined, 1],
    ['C2 C1', 'C', undefined, 1],
    ['C1 F2', 'F', 'C', 2],
    ['F2 C1', 'F', 'C', 2],
    ['F3 C1 F2', 'F', 'C', 2],
    ['C1 F2 F3 F3 C1', 'F', 'C', 2],
    ['C1 F2 K3', 'K', 'F', 3],
    ['K3 F2 C1', 'K', 'F', 3],
    ['C1 F2 C3', 'C', 'F', 3],
    ['C3 F2 C1', 'C', 'F', 3],
    ['F4 C1 F2 C3', 'F', 'C', 4],
    ['F5 C1 C1 F2 C3', 'F', 'C', 5], // F4 came never or is forgotten: F5 is the first known after C3
    ['F5 C1 F2 C3 F4', 'F', 'C', 4],
    ['C1 F1', 'F', 'C', 1], // of the same instant the greater unit counts as the later one
    ['F1 C1', 'F', 'C', 1],
  ])('makes of %s: %s after %s since %i', (batches, unit, previous, since) => {
    const record = recordOf(seenIn(batches))
    expect([record?.last.unit, record?.previous?.unit, record?.since]).toEqual([unit, previous, since])
  })

  test('tells exactly what the whole history does when batches come in order, again and again', () => {
    const repeated = unitHistory.chain((history) => {
      const times = fc.array(fc.integer({ min: 1, max: 3 }), {
        minLength: history.length,
        maxLength: history.length,
      })
      return times.map((counts) => ({
        history,
        sent: history.flatMap((one, i) => Array(counts[i]).fill(one)),
      }))
    })
    fc.assert(
      fc.property(repeated, ({ history, sent }) => {
        expect(recordOf(sent)).toEqual(changeIn(history))
      }),
    )
  })

  test('has the same last and previous unit in any order, and a time of the change that is never too early', () => {
    const shuffled = unitHistory.chain((history) =>
      fc
        .shuffledSubarray(history, { minLength: history.length })
        .map((sent) => ({ history, sent: [...sent, sent[0]!] })),
    )
    fc.assert(
      fc.property(shuffled, ({ history, sent }) => {
        const { last, previous, since } = recordOf(sent)!
        const truth = changeIn(history)
        expect([last, previous]).toEqual([truth.last, truth.previous])
        expect(since).toBeGreaterThanOrEqual(truth.since)
        expect(history).toContainEqual({ unit: last.unit, version: since })
      }),
    )
  })
})
