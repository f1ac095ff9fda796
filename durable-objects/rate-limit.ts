import * as v from 'valibot'

/** What a plan allows a tenant, over all its shards. */
export const RateLimit = v.pipe(
  v.object({
    datapoints_per_second: v.pipe(v.number(), v.minValue(1)),
    batches_per_second: v.pipe(v.number(), v.minValue(1)),
  }),
  v.metadata({
    ref: 'RateLimit',
    description: 'How much a tenant may send; two seconds of it may be saved up.',
  }),
)
export type RateLimit = v.InferOutput<typeof RateLimit>

/** A bucket holds what this long of silence saves up. */
const BURST_SECONDS = 2

const Bucket = v.object({ datapoints: v.number(), batches: v.number(), at: v.number() })

/** Tokens left of either kind at epoch ms `at`; negative: a debt. */
export type Bucket = v.InferOutput<typeof Bucket>

export const fullBucket = (limit: RateLimit, now: number): Bucket => ({
  datapoints: limit.datapoints_per_second * BURST_SECONDS,
  batches: limit.batches_per_second * BURST_SECONDS,
  at: now,
})

export const parseBucket = (text: string): Bucket => v.parse(Bucket, JSON.parse(text))

/**
 * Takes one batch of `datapoints` out of a token bucket, or tells how long until it can be taken. A batch needs
 * as many tokens as there are of it or a full bucket, whichever is less, and may leave a debt: so one larger
 * than the bucket passes too, and the rate over time is the limit exactly.
 */
export function takeTokens(
  bucket: Bucket,
  limit: RateLimit,
  datapoints: number,
  now: number,
): { bucket: Bucket; waitMs: number } {
  const full = fullBucket(limit, now)
  const seconds = Math.max(0, now - bucket.at) / 1000
  const filled = {
    datapoints: Math.min(full.datapoints, bucket.datapoints + seconds * limit.datapoints_per_second),
    batches: Math.min(full.batches, bucket.batches + seconds * limit.batches_per_second),
    at: Math.max(now, bucket.at),
  }
  const missing = Math.min(datapoints, full.datapoints) - filled.datapoints
  const waitSeconds = Math.max(
    missing / limit.datapoints_per_second,
    (1 - filled.batches) / limit.batches_per_second,
  )
  if (waitSeconds > 0) return { bucket: filled, waitMs: waitSeconds * 1000 }
  const left = { ...filled, datapoints: filled.datapoints - datapoints, batches: filled.batches - 1 }
  return { bucket: left, waitMs: 0 }
}
