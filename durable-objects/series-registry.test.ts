import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readSeries, registerSeries, seriesHashOf } from './series-registry.ts'

describe('registerSeries', () => {
  it('lets known series in always and new ones in their order up to the limit', () => {
    const { accepted, added } = registerSeries(new Set([1, 2]), [3, 1, 4, 3, 5, 2], 4)
    expect([...accepted]).toEqual([3, 1, 4, 2])
    expect(added).toEqual([3, 4])
  })

  it('never exceeds the limit and never refuses a known series, over any sequence', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.nat(30))), fc.nat(20), (requests, limit) => {
        const known = new Set<number>()
        for (const wanted of requests) {
          const { accepted, added } = registerSeries(known, wanted, limit)
          for (const hash of wanted) if (known.has(hash)) expect(accepted.has(hash)).toBe(true)
          for (const hash of added) known.add(hash)
          expect(known.size).toBeLessThanOrEqual(limit)
          expect([...accepted].every((hash) => known.has(hash))).toBe(true)
        }
      }),
    )
  })

  it('still knows all series when the limit is lowered', () => {
    expect([...registerSeries(new Set([1, 2, 3]), [1, 2, 3, 4], 1).accepted]).toEqual([1, 2, 3])
  })
})

describe('a series hash', () => {
  it('is a whole number that a stored double keeps, and tells device and metric apart', () => {
    const hash = seriesHashOf({ device: 'a', metric: 'bc', unit: null })
    expect(Number.isSafeInteger(hash)).toBe(true)
    expect(hash).not.toBe(seriesHashOf({ device: 'ab', metric: 'c', unit: null }))
    expect(hash).toBe(seriesHashOf({ device: 'a', metric: 'bc', unit: 'C' }))
    expect([...readSeries([{ hashes: Float64Array.of(hash, 7).buffer }])]).toEqual([hash, 7])
  })
})
