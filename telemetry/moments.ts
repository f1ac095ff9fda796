/** Count, mean and sum of squared deviations from the mean: mergeable, and stable on large offsets. */
export interface Moments {
  count: number
  mean: number
  m2: number
}

export const emptyMoments = (): Moments => ({ count: 0, mean: 0, m2: 0 })

/** Adds one value in place. Welford's update: Technometrics 4 (1962), 419-420. */
export function addToMoments(moments: Moments, value: number): void {
  moments.count += 1
  const delta = value - moments.mean
  moments.mean += delta / moments.count
  moments.m2 += delta * (value - moments.mean)
}

/** The moments of both samples together. Chan, Golub, LeVeque: Updating formulae for variances (1979). */
export function mergeMoments(a: Moments, b: Moments): Moments {
  if (a.count === 0) return { ...b }
  if (b.count === 0) return { ...a }
  const count = a.count + b.count
  const delta = b.mean - a.mean
  return {
    count,
    mean: a.mean + (delta * b.count) / count,
    m2: a.m2 + b.m2 + (delta * delta * a.count * b.count) / count,
  }
}

/** Sample standard deviation (n - 1); 0 for a single value. Throws on no values. */
export function standardDeviation({ count, m2 }: Moments): number {
  if (count < 1) throw new RangeError('Cannot take the standard deviation of no values.')
  return count === 1 ? 0 : Math.sqrt(m2 / (count - 1))
}
