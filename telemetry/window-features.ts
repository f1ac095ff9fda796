import { madSorted, medianSorted } from './median.ts'
import { addToMoments, emptyMoments, type Moments, mergeMoments, standardDeviation } from './moments.ts'
import { seededRandom } from './random.ts'
import { Sketch } from './sketch.ts'
import { WINDOW_MS } from './window.ts'

/** What one shard knows of one window: mergeable with other parts of the same window. */
export interface WindowPart extends Moments {
  windowStart: number
  min: number
  max: number
  median: number
  mad: number
  firstTs: number
  lastTs: number
  sketch: Uint8Array
}

/** A window's statistics as readers see them. `std` with n - 1, 0 for one datapoint; `mad` raw. */
export interface WindowFeatures {
  windowStart: number
  windowEnd: number
  count: number
  mean: number
  std: number
  median: number
  mad: number
  min: number
  max: number
  range: number
}

/**
 * Features of one window from its parts (at least one). A single part carries its finished order statistics;
 * sketches are decoded only where several must be merged.
 */
export function featuresOfParts(parts: WindowPart[]): WindowFeatures {
  const [first, ...others] = parts
  if (first === undefined) throw new RangeError('Cannot compute the features of a window without parts.')
  if (others.length === 0) return featuresOfOnlyPart(first)
  const random = seededRandom(first.windowStart) // the same parts give the same answer to every reader
  const sketch = Sketch.fromBytes(first.sketch, random)
  for (const part of others) sketch.merge(Sketch.fromBytes(part.sketch, random))
  return features(first.windowStart, parts.reduce<Moments>(mergeMoments, emptyMoments()), {
    min: Math.min(...parts.map((part) => part.min)),
    max: Math.max(...parts.map((part) => part.max)),
    median: sketch.median(),
    mad: sketch.mad(),
  })
}

/** Features of a window that has one part. */
export const featuresOfOnlyPart = (part: Omit<WindowPart, 'firstTs' | 'lastTs' | 'sketch'>): WindowFeatures =>
  features(part.windowStart, part, part)

/** Features of one window from its values (at least one, in any order): exact. O(n log n). */
export function featuresOfValues(windowStart: number, values: ArrayLike<number>): WindowFeatures {
  const { moments, order } = statisticsOf(values)
  return features(windowStart, moments, order)
}

/** One part that is the whole window, from its datapoints in ascending time (at least one): exact, without a sketch. */
export function partOfDatapoints(windowStart: number, ts: number[], values: number[]): WindowPart {
  const { moments, order } = statisticsOf(values)
  const times = { firstTs: ts[0]!, lastTs: ts[ts.length - 1]! }
  return { windowStart, ...moments, ...order, ...times, sketch: new Uint8Array() }
}

function statisticsOf(values: ArrayLike<number>) {
  const moments = emptyMoments()
  for (let i = 0; i < values.length; i += 1) addToMoments(moments, values[i]!)
  const sorted = Float64Array.from(values).sort()
  const median = medianSorted(sorted)
  const order = { min: sorted[0]!, max: sorted[sorted.length - 1]!, median, mad: madSorted(sorted, median) }
  return { moments, order }
}

function features(
  windowStart: number,
  moments: Moments,
  order: Pick<WindowFeatures, 'min' | 'max' | 'median' | 'mad'>,
): WindowFeatures {
  const { min, max, median, mad } = order
  return {
    windowStart,
    windowEnd: windowStart + WINDOW_MS,
    count: moments.count,
    mean: moments.mean,
    std: standardDeviation(moments),
    median,
    mad,
    min,
    max,
    range: Math.min(max - min, Number.MAX_VALUE), // the difference of finite values can overflow
  }
}
