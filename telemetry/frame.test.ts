import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeFrame, encodeFrame } from './frame.ts'

const body = fc.uint8Array({ maxLength: 50 })

test('a frame gives back its header and its bytes, from anywhere in a larger buffer', () => {
  fc.assert(
    fc.property(fc.json(), body, fc.nat(9), (json, bytes, shift) => {
      const header: unknown = JSON.parse(json)
      const frame = encodeFrame(header, bytes)
      const buffer = new Uint8Array(frame.length + shift + 5)
      buffer.set(frame, shift)
      const decoded = decodeFrame(buffer.subarray(shift, shift + frame.length))
      expect(JSON.stringify(decoded.header)).toBe(JSON.stringify(header))
      expect(new Uint8Array(decoded.body)).toEqual(bytes)
    }),
  )
})

test('columns of several types lie behind each other and can be viewed in place', () => {
  const [doubles, integers] = [Float64Array.of(0.1, -2), Uint32Array.of(7, 8)]
  const { body: decoded } = decodeFrame(encodeFrame({ ü: 1 }, doubles.subarray(1), integers))
  expect(new Float64Array(decoded, 0, 1)).toEqual(Float64Array.of(-2))
  expect(new Uint32Array(decoded, 8)).toEqual(integers)
})

test('a frame of which any end was cut, or to which a byte was added, is refused', () => {
  const frame = encodeFrame({ a: 1 }, Uint8Array.of(1, 2, 3))
  for (let length = 0; length < frame.length; length += 1) {
    expect(() => decodeFrame(frame.subarray(0, length)), String(length)).toThrow(RangeError)
  }
  expect(() => decodeFrame(Uint8Array.of(...frame, 0))).toThrow(RangeError)
})

test('lengths that add up to more than there is are refused before anything is read', () => {
  expect(() => decodeFrame(Uint8Array.of(255, 255, 255, 255, 0, 0, 0, 0, 1))).toThrow(RangeError)
  expect(() => decodeFrame(Uint8Array.of(0, 0, 0, 0, 255, 255, 255, 255))).toThrow(RangeError)
})
