import fc from 'fast-check'
import { all, create } from 'mathjs'
import { describe, expect, test } from 'vitest'
import { Sketch } from './sketch.ts'

/** The oracle; by default it takes values within 1e-12 for equal when it selects. */
const { mad, median } = create(all!, { relTol: Number.MIN_VALUE, absTol: 0 })

/** Tells no -0 from 0: the two compare as equal, so their order among each other is open. */
const plain = (number: number) => number + 0
const value = fc.double({ min: -1e12, max: 1e12, noNaN: true }).map(plain)
const values = fc.array(value, { minLength: 1, maxLength: 200 })

function sketchOf(list: number[], capacity?: number): Sketch {
  const sketch = new Sketch(capacity)
  for (const each of list) sketch.add(each)
  return sketch
}

function expectExact(sketch: Sketch, list: number[]): void {
  expect(sketch.count).toBe(list.length)
  expect(plain(sketch.median())).toBe(plain(median(list)))
  expect(sketch.mad()).toBe(mad(list))
}

test('values in any order give exactly the median and MAD of mathjs', () => {
  fc.assert(fc.property(values, (list) => expectExact(sketchOf(list), list)))
})

test('reading in between does not disturb what is added after', () => {
  fc.assert(
    fc.property(values, values, (before, after) => {
      const sketch = sketchOf(before)
      sketch.median()
      for (const each of after) sketch.add(each)
      expectExact(sketch, [...before, ...after])
    }),
  )
})

test('a merged sketch is the sketch of all values, and the other one stays as it was', () => {
  fc.assert(
    fc.property(values, values, (left, right) => {
      const [a, b] = [sketchOf(left), sketchOf(right)]
      a.merge(b)
      expectExact(a, [...left, ...right])
      expectExact(b, right)
    }),
  )
})

test('merging an empty sketch changes nothing, merging into one copies', () => {
  const sketch = sketchOf([3, 1])
  sketch.merge(new Sketch())
  expectExact(sketch, [3, 1])
  const empty = new Sketch()
  empty.merge(sketch)
  expectExact(empty, [3, 1])
})

test('a sketch merged into itself holds every value twice', () => {
  const sketch = sketchOf([3, 1, 2], 3)
  sketch.merge(sketch)
  expectExact(sketch, [1, 1, 2, 2, 3, 3])
})

test.each([0, 1, 5])('a first capacity of %i is no limit', (capacity) => {
  const list = [5, 4, 3, 2, 1, 0]
  expectExact(sketchOf(list, capacity), list)
})

test('the memory held grows with the values and at most doubles', () => {
  const sketch = sketchOf(Array.from({ length: 1000 }, (_, i) => i))
  expect(sketch.bytes).toBeGreaterThanOrEqual(8000)
  expect(sketch.bytes).toBeLessThan(16_000 + 16 * 8)
})

test('an empty sketch has no median', () => {
  expect(() => new Sketch().median()).toThrow(RangeError)
  expect(() => new Sketch().mad()).toThrow(RangeError)
})

describe('bytes', () => {
  test('a sketch comes back from its bytes as it was, empty ones too', () => {
    fc.assert(
      fc.property(fc.array(value, { maxLength: 100 }), (list) => {
        const bytes = sketchOf(list).toBytes()
        expect(Sketch.fromBytes(bytes).toBytes()).toEqual(bytes)
      }),
    )
  })

  test('the order of arrival does not show', () => {
    fc.assert(
      fc.property(values, (list) => {
        expect(sketchOf(list.toReversed()).toBytes()).toEqual(sketchOf(list).toBytes())
      }),
    )
  })

  test('they may stand anywhere in a larger buffer', () => {
    const bytes = sketchOf([2, 1]).toBytes()
    const buffer = new Uint8Array(bytes.length + 7)
    buffer.set(bytes, 3)
    expectExact(Sketch.fromBytes(buffer.subarray(3, 3 + bytes.length)), [1, 2])
  })

  test('the format is little-endian: format, count, values ascending', () => {
    expect(Buffer.from(sketchOf([1, -2]).toBytes()).toString('hex')).toBe(
      '0100000002000000' + '00000000000000c0' + '000000000000f03f',
    )
  })

  const valid = () => Buffer.from(sketchOf([1, 2]).toBytes())
  const changed = (change: (bytes: Buffer) => void) => {
    const bytes = valid()
    change(bytes)
    return bytes
  }

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['half a header', valid().subarray(0, 7)],
    ['a value cut short', valid().subarray(0, 23)],
    ['a byte too many', Buffer.concat([valid(), Buffer.alloc(1)])],
    ['another format', changed((bytes) => bytes.writeUInt32LE(2, 0))],
    ['a count of 2^32 - 1 that would take 32 GiB', changed((bytes) => bytes.writeUInt32LE(2 ** 32 - 1, 4))],
    ['a count below the values', changed((bytes) => bytes.writeUInt32LE(1, 4))],
    ['NaN', changed((bytes) => bytes.writeDoubleLE(Number.NaN, 8))],
    ['Infinity', changed((bytes) => bytes.writeDoubleLE(Number.POSITIVE_INFINITY, 16))],
    ['values out of order', changed((bytes) => bytes.writeDoubleLE(3, 8))],
  ])('%s is refused', (_, bytes) => {
    expect(() => Sketch.fromBytes(bytes)).toThrow(RangeError)
  })

  test('random bytes are refused or read as a sketch that answers, never anything else', () => {
    const header = fc.constantFrom(0, 1, 2).chain((count) =>
      fc.uint8Array({ minLength: count * 8, maxLength: count * 8 }).map((body) => {
        return Buffer.concat([Buffer.from([1, 0, 0, 0, count, 0, 0, 0]), body])
      }),
    )
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 40 }), header), (bytes) => {
        try {
          const sketch = Sketch.fromBytes(bytes)
          expect(sketch.toBytes()).toEqual(Uint8Array.from(bytes))
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError)
        }
      }),
    )
  })
})
