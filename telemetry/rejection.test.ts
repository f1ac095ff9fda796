import fc from 'fast-check'
import { expect, test } from 'vitest'
import { packRejections, REJECTION_CODES, type Rejection, unpackRejections } from './rejection.ts'

const rejections = fc.uniqueArray(
  fc.record({ ordinal: fc.nat(49_999), code: fc.constantFrom(...REJECTION_CODES) }),
  { selector: ({ ordinal }) => ordinal },
)

test('rejections come back in body order, four bytes each', () => {
  fc.assert(
    fc.property(rejections, (list) => {
      const packed = packRejections(list)
      expect(packed.byteLength).toBe(4 * list.length)
      expect(unpackRejections(packed)).toEqual(list.toSorted((a, b) => a.ordinal - b.ordinal))
    }),
  )
})

test('a stored code keeps its meaning', () => {
  const stored: Rejection[] = [
    { ordinal: 0, code: 'timestamp_in_future' },
    { ordinal: 1, code: 'timestamp_too_old' },
    { ordinal: 2, code: 'null_value' },
    { ordinal: 3, code: 'duplicate_timestamp' },
    { ordinal: 4, code: 'series_limit' },
    { ordinal: 5, code: 'not_numeric' },
    { ordinal: 6, code: 'invalid_name' },
    { ordinal: 7, code: 'malformed' },
  ]
  expect(unpackRejections(Uint32Array.of(0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77))).toEqual(stored)
})

test('a code that does not exist is refused', () => {
  expect(() => unpackRejections(Uint32Array.of(0x0f))).toThrow(RangeError)
})
