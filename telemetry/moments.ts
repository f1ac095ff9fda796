/** Count, mean and sum of squared deviations from the mean: mergeable, and stable on large offsets. */
export interface Moments {
  count: number
  mean: number
  m2: number
}

export const emptyMoments = (): Moments => ({ count: 0, mean: 0, m2: 0 })

/** Adds one finite value in place. Welford's update: Technometrics 4 (1962), 419-420. */
export function addToMoments(moments: Moments, value: number): void {
  const count = moments.count + 1
  const delta = value - moments.mean
  const mean = moments.mean + delta / count
  const m2 = moments.m2 + delta * (value - mean)
  if (!Number.isFinite(m2)) {
    saturate(moments, { count: 1, mean: value, m2: 0 })
    return
  }
  moments.count = count
  moments.mean = mean
  moments.m2 = m2
}

/** Adds the values from `start` to `end` in place, one after the other: what `addToMoments` for each comes to. */
export function addRunToMoments(moments: Moments, values: Float64Array, start: number, end: number): void {
  let { count, mean, m2 } = moments
  for (let i = start; i < end; i += 1) {
    const value = values[i]!
    const delta = value - mean
    const nextMean = mean + delta / (count + 1)
    const nextM2 = m2 + delta * (value - nextMean)
    if (!Number.isFinite(nextM2)) {
      Object.assign(moments, { count, mean, m2 })
      for (let k = i; k < end; k += 1) addToMoments(moments, values[k]!)
      return
    }
    count += 1
    mean = nextMean
    m2 = nextM2
  }
  moments.count = count
  moments.mean = mean
  moments.m2 = m2
}

/** The moments of both samples together. Chan, Golub, LeVeque: Updating formulae for variances (1979). */
export function mergeMoments(a: Moments, b: Moments): Moments {
  if (a.count === 0) return { ...b }
  if (b.count === 0) return { ...a }
  const count = a.count + b.count
  const delta = b.mean - a.mean
  const mean = a.mean + delta * (b.count / count)
  const m2 = a.m2 + b.m2 + delta * delta * a.count * (b.count / count)
  if (Number.isFinite(m2)) return { count, mean, m2 }
  const merged = { ...a }
  saturate(merged, b)
  return merged
}

/**
 * Adds `b` where the squares overflow (values beyond 1e150 or so): the mean by weights, m2 the largest double.
 * Infinity would turn into NaN with the next value.
 */
function saturate(moments: Moments, b: Moments): void {
  const count = moments.count + b.count
  moments.mean = moments.mean * (moments.count / count) + b.mean * (b.count / count)
  moments.count = count
  moments.m2 = Number.MAX_VALUE
}

/** Sample standard deviation (n - 1); 0 for a single value. Throws on no values. */
export function standardDeviation({ count, m2 }: Moments): number {
  if (count < 1) throw new RangeError('Cannot take the standard deviation of no values.')
  return count === 1 ? 0 : Math.sqrt(m2 / (count - 1))
}
