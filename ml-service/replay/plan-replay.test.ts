import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { joined, runsOf, spanOf, wantedEntries } from './plan-replay.ts'

const iso = (ms: number) => new Date(ms).toISOString()
const entry = (minTs: number, maxTs: number) => ({
  ...{ batch_id: `${minTs}`, sha256: '', received_at: iso(0), datapoints: 1, rejected: [] },
  ...{ min_ts: iso(minTs), max_ts: iso(maxTs) },
})

describe('wantedEntries', () => {
  test.each([
    ['one in the range', 10, 20, true],
    ['one that ends on its first instant', 0, 10, true],
    ['one that ends just before it', 0, 9, false],
    ['one that starts on its last instant', 29, 40, true],
    ['one that starts at its end', 30, 40, false],
    ['one around it', 0, 40, true],
  ])('of 10 to 30: %s', (_, minTs, maxTs, isWanted) => {
    expect(wantedEntries([entry(minTs, maxTs)], { from: 10, to: 30 }, 0)).toHaveLength(isWanted ? 1 : 0)
  })

  it('leaves out what retention would delete at once', () => {
    const range = { from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY }
    const [kept, ...others] = wantedEntries([entry(1, 4), entry(1, 5)], range, 5)
    expect([kept?.max_ts, others]).toEqual([iso(5), []])
  })
})

describe('runsOf', () => {
  it('keeps all batches in order, and each run within its bounds unless one batch alone exceeds them', () => {
    const batches = fc.array(fc.record({ datapoints: fc.integer({ min: 1, max: 60 }) }), { maxLength: 50 })
    fc.assert(
      fc.property(batches, (all) => {
        const runs = [...runsOf(all, { maxObjects: 4, maxDatapoints: 50 })]
        expect(runs.flat()).toEqual(all)
        for (const run of runs) {
          const datapoints = run.reduce((sum, batch) => sum + batch.datapoints, 0)
          expect(run.length).toBeGreaterThan(0)
          expect(run.length).toBeLessThanOrEqual(4)
          expect(run.length === 1 || datapoints <= 50).toBe(true)
        }
      }),
    )
  })
})

test('the span of batches is half-open and holds the newest datapoint', () => {
  expect(spanOf([])).toBeUndefined()
  expect(spanOf([entry(5, 9), entry(3, 4)])).toEqual({ from: 3, to: 10 })
  expect(joined(undefined, { from: 1, to: 2 })).toEqual({ from: 1, to: 2 })
  expect(joined({ from: 1, to: 2 }, undefined)).toEqual({ from: 1, to: 2 })
  expect(joined({ from: 4, to: 8 }, { from: 1, to: 5 })).toEqual({ from: 1, to: 8 })
})
