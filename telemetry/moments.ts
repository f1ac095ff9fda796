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

/** Adds the values from `start` to `end`, at least one, in place. */
export function addRunToMoments(moments: Moments, values: Float64Array, start: number, end: number): void {
  const run = momentsOfRun(values, start, end)
  if (Number.isFinite(run.m2)) {
    const { count, mean, m2 } = mergeMoments(moments, run)
    moments.count = count
    moments.mean = mean
    moments.m2 = m2
  } else for (let i = start; i < end; i += 1) addToMoments(moments, values[i]!)
}

/**
 * In two passes, the second around the mean that the first one found: a division a run instead of one a value, and
 * more exact. Chan, Golub, LeVeque: Algorithms for computing the sample variance (1983). Not finite where squares
 * overflow.
 */
function momentsOfRun(values: Float64Array, start: number, end: number): Moments {
  const count = end - start
  let sum = 0
  for (let i = start; i < end; i += 1) sum += values[i]!
  const centre = sum / count
  let deviations = 0
  let squares = 0
  for (let i = start; i < end; i += 1) {
    const deviation = values[i]! - centre
    deviations += deviation
    squares += deviation * deviation
  }
  const mean = centre + deviations / count
  return { count, mean, m2: Math.max(0, squares - (deviations * deviations) / count) }
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
