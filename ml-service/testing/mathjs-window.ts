import { mad, max, mean, median, min, std } from 'mathjs'
import { expect } from 'vitest'
import type { WindowFeatures } from '../../telemetry/window-features.ts'

const KEYS = ['mean', 'std', 'median', 'mad', 'min', 'max'] as const

type Oracle = Record<(typeof KEYS)[number], number>

/** The features of a window's values, as mathjs has them. */
export const mathjsWindow = (values: number[]): Oracle => ({
  mean: Number(mean(values)),
  std: values.length > 1 ? Number(std(...values)) : 0,
  median: Number(median(values)),
  mad: Number(mad(values)),
  min: Number(min(values)),
  max: Number(max(values)),
})

/** To 1e-9 of the values' size: the deviations of values on a large offset cannot be had more exactly. */
export function expectClose(actual: WindowFeatures, expected: Oracle): void {
  const scale = Math.max(1, Math.abs(expected.mean))
  for (const key of KEYS) expect(Math.abs(actual[key] - expected[key]) / scale).toBeLessThan(1e-9)
}
