import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fullBucket, parseBucket, takeTokens } from './rate-limit.ts'
import { RateMeter } from './rate-meter.ts'

const LIMIT = { datapoints_per_second: 1000, batches_per_second: 5 }

describe('takeTokens', () => {
  it('lets a burst of two seconds through and then tells exactly when the next batch fits', () => {
    let { bucket, waitMs } = takeTokens(fullBucket(LIMIT, 0), LIMIT, 2000, 0)
    expect([bucket.datapoints, waitMs]).toEqual([0, 0])
    ;({ bucket, waitMs } = takeTokens(bucket, LIMIT, 500, 0))
    expect(waitMs).toBe(500)
    expect(takeTokens(bucket, LIMIT, 500, 499).waitMs).toBeGreaterThan(0)
    expect(takeTokens(bucket, LIMIT, 500, 500).waitMs).toBe(0)
  })

  it('limits batches as well as datapoints', () => {
    let bucket = fullBucket(LIMIT, 0)
    for (let i = 0; i < 10; i += 1) bucket = takeTokens(bucket, LIMIT, 1, 0).bucket
    expect(takeTokens(bucket, LIMIT, 1, 0).waitMs).toBe(200)
  })

  it('lets a batch larger than the bucket through once it is full, on credit', () => {
    const { bucket, waitMs } = takeTokens(fullBucket(LIMIT, 0), LIMIT, 50_000, 0)
    expect([waitMs, bucket.datapoints]).toEqual([0, -48_000])
    expect(takeTokens(bucket, LIMIT, 1, 0).waitMs).toBe(48_001)
  })

  it('never lets more through than the limit allows over any time, plus one burst and one batch', () => {
    const sizes = fc.integer({ min: 1, max: 5000 })
    fc.assert(
      fc.property(fc.array(fc.tuple(sizes, fc.nat(2000)), { maxLength: 100 }), (tries) => {
        let [bucket, now, taken] = [fullBucket(LIMIT, 0), 0, 0]
        for (const [datapoints, pauseMs] of tries) {
          now += pauseMs
          const result = takeTokens(bucket, LIMIT, datapoints, now)
          bucket = result.bucket
          if (result.waitMs === 0) taken += datapoints
          expect(taken).toBeLessThanOrEqual((now / 1000) * LIMIT.datapoints_per_second + 2000 + 5000)
        }
      }),
    )
  })

  it('always takes a batch after the time it told', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60_000 }),
        fc.integer({ min: -1e6, max: 2000 }),
        (datapoints, tokens) => {
          const bucket = { datapoints: tokens, batches: -3, at: 0 }
          const { waitMs } = takeTokens(bucket, LIMIT, datapoints, 0)
          expect(takeTokens(bucket, LIMIT, datapoints, Math.ceil(waitMs) + 1).waitMs).toBe(0)
        },
      ),
    )
  })

  it('is not fooled by a clock that steps back', () => {
    const { bucket } = takeTokens(fullBucket(LIMIT, 1000), LIMIT, 2000, 1000)
    expect(takeTokens(bucket, LIMIT, 1000, 0).waitMs).toBe(1000)
    expect(parseBucket(JSON.stringify(bucket))).toEqual(bucket)
  })
})

describe('RateMeter', () => {
  it('means over the last minute and forgets what is older', () => {
    const meter = new RateMeter()
    for (let second = 0; second < 60; second += 1) meter.add(120, second * 1000)
    expect(meter.rate(59_999)).toEqual({ datapointsPerSecond: 120, batchesPerSecond: 1 })
    expect(meter.rate(89_000).datapointsPerSecond).toBe(60)
    expect(meter.rate(500_000)).toEqual({ datapointsPerSecond: 0, batchesPerSecond: 0 })
    meter.add(60, 500_000)
    expect(meter.rate(500_000).datapointsPerSecond).toBe(1)
  })
})
