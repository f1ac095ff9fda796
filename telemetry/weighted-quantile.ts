/** Values in ascending order, each standing for `weights[i]` (positive, whole) equal ones. */
export interface WeightedValues {
  values: Float64Array
  weights: Float64Array
  /** Sum of the weights. */
  total: number
}

/** The value at 0-based rank `rank` among all that the weighted values stand for. O(n). */
export function valueAtRank({ values, weights }: WeightedValues, rank: number): number {
  let below = 0
  for (let i = 0; i < values.length; i += 1) {
    below += weights[i]!
    if (rank < below) return values[i]!
  }
  return values[values.length - 1]!
}

/**
 * Quantile `p` (0 to 1) by linear interpolation between the two ranks around (n - 1) p: type 7 of Hyndman and
 * Fan, The American Statistician 50 (1996); at 0.5 the usual median. Throws on no values or another p.
 */
export function weightedQuantile(sample: WeightedValues, p: number): number {
  if (sample.total < 1) throw new RangeError('Cannot take a quantile of no values.')
  if (!(p >= 0 && p <= 1)) throw new RangeError(`Cannot take a quantile: "p" must be from 0 to 1, got ${p}.`)
  const position = (sample.total - 1) * p
  const rank = Math.floor(position)
  const lower = valueAtRank(sample, rank)
  const fraction = position - rank
  return fraction === 0 ? lower : between(lower, valueAtRank(sample, rank + 1), fraction)
}

/** The halves are added, not the sum halved: values near the largest double must not overflow. */
function between(a: number, b: number, fraction: number): number {
  const large = Math.abs(a) > 1e300 || Math.abs(b) > 1e300
  if (fraction === 0.5) return large ? a / 2 + b / 2 : (a + b) / 2
  return large ? a * (1 - fraction) + b * fraction : a + (b - a) * fraction
}

/** Median absolute deviation from `median`, raw. O(n log n). */
export function weightedMad({ values, weights, total }: WeightedValues, median: number): number {
  const order = Array.from(values.keys()).sort(
    (a, b) => Math.abs(values[a]! - median) - Math.abs(values[b]! - median),
  )
  const deviations = Float64Array.from(order, (i) => Math.abs(values[i]! - median))
  const mad = weightedQuantile(
    { values: deviations, weights: Float64Array.from(order, (i) => weights[i]!), total },
    0.5,
  )
  return Math.min(mad, Number.MAX_VALUE) // a distance between finite values can overflow
}
