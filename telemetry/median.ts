/**
 * Median of values in ascending order; the mean of the middle two where their number is even. Throws on none.
 * Example: `medianSorted([1, 2, 10])` is 2.
 */
export function medianSorted(sorted: ArrayLike<number>): number {
  const { length } = sorted
  if (length === 0) throw new RangeError('Cannot take the median of no values.')
  const upper = sorted[length >> 1]!
  return length % 2 === 1 ? upper : midpoint(sorted[(length >> 1) - 1]!, upper)
}

/** The halves are added, not the sum halved: two values near the largest double must not overflow. */
const midpoint = (a: number, b: number) =>
  Math.abs(a) > 1e300 || Math.abs(b) > 1e300 ? a / 2 + b / 2 : (a + b) / 2

/**
 * Median absolute deviation from `median`, raw: multiply by 1.4826 to estimate a normal sigma.
 * Takes the sorted values and walks outward from the centre: O(n), no second sort.
 * Example: `madSorted([1, 2, 10], 2)` is 1.
 */
export function madSorted(sorted: ArrayLike<number>, median: number): number {
  const { length } = sorted
  if (length === 0) throw new RangeError('Cannot take the MAD of no values.')
  let right = lowerBound(sorted, median)
  let left = right - 1
  const wanted = length >> 1
  let previous = 0
  let current = 0
  for (let taken = 0; taken <= wanted; taken += 1) {
    previous = current
    const below = left >= 0 ? median - sorted[left]! : Number.POSITIVE_INFINITY
    const above = right < length ? sorted[right]! - median : Number.POSITIVE_INFINITY
    if (below < above) left -= 1
    else right += 1
    current = Math.min(below, above)
  }
  const mad = length % 2 === 1 ? current : midpoint(previous, current)
  return Math.min(mad, Number.MAX_VALUE) // a distance between finite values can overflow
}

/** Index of the first value that is not below `value`. */
function lowerBound(sorted: ArrayLike<number>, value: number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle]! < value) low = middle + 1
    else high = middle
  }
  return low
}
