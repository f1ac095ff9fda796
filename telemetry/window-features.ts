import { addToMoments, emptyMoments, type Moments, mergeMoments, standardDeviation } from './moments.ts'
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
  if (others.length === 0) return features(first.windowStart, first, first)
  const sketch = Sketch.fromBytes(first.sketch)
  for (const part of others) sketch.merge(Sketch.fromBytes(part.sketch))
  return features(first.windowStart, parts.reduce<Moments>(mergeMoments, emptyMoments()), {
    min: Math.min(...parts.map((part) => part.min)),
    max: Math.max(...parts.map((part) => part.max)),
    median: sketch.median(),
    mad: sketch.mad(),
  })
}

/** Features of one window from its values (at least one, in any order). */
export function featuresOfValues(windowStart: number, values: ArrayLike<number>): WindowFeatures {
  const moments = emptyMoments()
  const sketch = new Sketch(Math.max(values.length, 1))
  let min = Number.POSITIVE_INFINITY
  let max = Number.NEGATIVE_INFINITY
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i]!
    addToMoments(moments, value)
    sketch.add(value)
    if (value < min) min = value
    if (value > max) max = value
  }
  return features(windowStart, moments, { min, max, median: sketch.median(), mad: sketch.mad() })
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
