import fc from 'fast-check'
import { expect, it } from 'vitest'
import { WINDOW_MS } from '../../telemetry/window.ts'
import { History } from './history.ts'

const values = fc.array(
  fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer({ min: -3, max: 3 })),
  {
    minLength: 1,
    maxLength: 40,
  },
)

it('History holds the last values and agrees with sorting them', () => {
  fc.assert(
    fc.property(
      values,
      fc.integer({ min: 1, max: 12 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (all, capacity, p) => {
        const history = new History(capacity)
        all.forEach((value, i) => {
          history.add(i * WINDOW_MS, value)
        })
        const held = all.slice(-capacity)
        const sorted = Float64Array.from(held).sort()
        expect(history.size).toBe(held.length)
        expect(history.oldestStart).toBe((all.length - held.length) * WINDOW_MS)
        expect(history.quantile(p)).toBe(sorted[Math.min(held.length - 1, Math.floor(p * held.length))])
      },
    ),
  )
})

it('History collects the values of a stretch of time, both ends included', () => {
  const history = new History(5)
  for (let i = 0; i < 8; i += 1) history.add(i * WINDOW_MS, i)
  const collected: number[] = []
  history.collect(4 * WINDOW_MS, 6 * WINDOW_MS, collected)
  expect(collected).toEqual([4, 5, 6])
  history.collect(0, 3 * WINDOW_MS, collected)
  history.collect(9 * WINDOW_MS, 10 * WINDOW_MS, collected)
  expect(collected).toEqual([4, 5, 6, 3])
})

it('History comes back from its snapshot as it was', () => {
  fc.assert(
    fc.property(values, fc.integer({ min: 1, max: 12 }), (all, capacity) => {
      const history = new History(capacity)
      all.forEach((value, i) => {
        history.add(i * WINDOW_MS, value)
      })
      const copy = History.from(JSON.parse(JSON.stringify(history.snapshot())), capacity)
      expect(copy.snapshot()).toEqual(history.snapshot())
      for (const each of [history, copy]) each.add(all.length * WINDOW_MS, 0.5)
      expect(copy.snapshot()).toEqual(history.snapshot())
      expect(copy.quantile(0.5)).toBe(history.quantile(0.5))
    }),
  )
})

it('History refuses a snapshot it cannot have written', () => {
  const { windows, values: bytes } = (() => {
    const history = new History(3)
    history.add(0, 1)
    return history.snapshot()
  })()
  const notFinite = Buffer.from(new Float64Array([Number.NaN]).buffer).toString('base64')
  for (const snapshot of [
    { windows: '', values: bytes },
    { windows, values: 'AAAA' },
    { windows, values: notFinite },
  ]) {
    expect(() => History.from(snapshot, 3)).toThrow(RangeError)
  }
})

it('History is empty at first', () => {
  const history = new History(3)
  expect([history.size, history.quantile(0.5), history.oldestStart]).toEqual([0, undefined, undefined])
})
