import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ByteMemo } from './byte-memo.ts'

test('gives what would be made, for any stretches of any bytes', () => {
  const bytes = fc.uint8Array({ max: 2, minLength: 4, maxLength: 64 })
  fc.assert(
    fc.property(bytes, fc.array(fc.tuple(fc.nat(), fc.nat())), (all, pairs) => {
      const make = (from: number, to: number) => all.subarray(from, to).join()
      const memo = new ByteMemo(all, make)
      for (const pair of pairs) {
        const [from, to] = pair.map((at) => at % (all.length + 1)).sort((a, b) => a - b) as [number, number]
        expect(memo.of(from, to)).toBe(make(from, to))
      }
    }),
  )
})

test('makes what repeats once, and what was pushed out of its slot again', () => {
  // Numbers of four bytes: far more different ones than there are slots, twice.
  const numbers = new Uint32Array(8192).map((_, i) => i % 4096)
  let made = 0
  const memo = new ByteMemo(new Uint8Array(numbers.buffer), (from) => {
    made += 1
    return numbers[from / 4]
  })
  for (let i = 0; i < 4096; i += 1) {
    expect(memo.of(i * 4, i * 4 + 4)).toBe(i)
    expect(memo.of((i + 4096) * 4, (i + 4096) * 4 + 4)).toBe(i)
  }
  expect(made).toBe(4096)
  expect(memo.of(0, 4)).toBe(0)
  expect(made).toBe(4097)
})
