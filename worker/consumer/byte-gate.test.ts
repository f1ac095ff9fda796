import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ByteGate } from './byte-gate.ts'

const LIMIT = 100

/** Work that holds so many bytes, from when it comes in until `end` is called; what is inside is in `inside`. */
function visitor(gate: ByteGate, bytes: number, inside: number[]) {
  const { promise, resolve: end } = Promise.withResolvers<void>()
  const visit = gate.within(bytes, async () => {
    inside.push(bytes)
    await promise
    inside.splice(inside.indexOf(bytes), 1)
  })
  return { visit, end }
}

test('what is inside never holds more than the limit, but for one that is larger by itself, and all come in', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 150 }), { minLength: 1 }), async (sizes) => {
      const gate = new ByteGate(LIMIT)
      const inside: number[] = []
      const visits = sizes.map((bytes) =>
        gate.within(bytes, async () => {
          inside.push(bytes)
          expect(inside.length === 1 || inside.reduce((a, b) => a + b) <= LIMIT).toBe(true)
          await Promise.resolve()
          inside.splice(inside.indexOf(bytes), 1)
          if (bytes % 7 === 0) throw new Error('it fails')
        }),
      )
      const failed = (await Promise.allSettled(visits)).filter(({ status }) => status === 'rejected')
      expect(failed).toHaveLength(sizes.filter((bytes) => bytes % 7 === 0).length)
      expect(inside).toEqual([])
    }),
  )
})

test('small ones that come later do not keep a large one waiting', async () => {
  const gate = new ByteGate(LIMIT)
  const inside: number[] = []
  const [first, large, small] = [60, 70, 10].map((bytes) => visitor(gate, bytes, inside))
  await Promise.resolve()
  expect(inside).toEqual([60])
  first!.end()
  await first!.visit
  await Promise.resolve()
  expect(inside).toEqual([70, 10])
  large!.end()
  small!.end()
  await Promise.all([large!.visit, small!.visit])
})
