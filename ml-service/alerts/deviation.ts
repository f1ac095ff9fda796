import type { Deviation } from '../../telemetry/rule-hit.ts'
import type { WindowFeatures } from '../../telemetry/window-features.ts'

/**
 * Where the median left the expected range, its distance from the middle counts. Where only the spread or the number of
 * values was unusual, the value farthest from the middle stands for the window. undefined: nothing was expected.
 */
export function deviationOf(
  { median, min, max }: Pick<WindowFeatures, 'median' | 'min' | 'max'>,
  range: { low: number; high: number } | undefined,
): Deviation | undefined {
  if (range === undefined) return undefined
  const expected = range.low / 2 + range.high / 2
  if (median < range.low || median > range.high) return { amount: median - expected, expected }
  const [up, down] = [max - expected, min - expected]
  return { amount: up >= -down ? up : down, expected }
}
