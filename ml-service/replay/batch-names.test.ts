import { expect, it } from 'vitest'
import { BatchNames } from './batch-names.ts'

it('knows every name it was given, and no other, also when more come after a question', () => {
  const names = new BatchNames()
  expect(names.has('b0')).toBe(false)
  for (let i = 0; i < 3000; i += 1) {
    names.add(`b${i}`)
    if (i % 500 === 0) expect([names.has(`b${i}`), names.has(`b${i + 1}`)]).toEqual([true, false])
  }
  const found = Array.from({ length: 6000 }, (_, i) => names.has(`b${i}`))
  expect(found.indexOf(false)).toBe(3000)
  expect(found.lastIndexOf(true)).toBe(2999)
})
