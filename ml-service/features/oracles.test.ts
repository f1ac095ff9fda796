import fc from 'fast-check'
import { mad, max, mean, median, min, std } from 'mathjs'
import { expect, it } from 'vitest'
import { openDuckFeatures } from '../../bench/score/duck-features.ts'
import { featuresOfParts, featuresOfValues, type WindowFeatures } from '../../telemetry/window-features.ts'
import { partsOf } from '../testing/seed-tenant.ts'
import { WINDOW } from '../testing/synthetic.ts'

const START = Date.UTC(2026, 0, 1)
const KEYS = ['mean', 'std', 'median', 'mad', 'min', 'max'] as const

/** Windows of up to forty values on an offset, where a few are equal and a few far away. */
const windows = fc
  .tuple(
    fc.constantFrom(0, 230, -1e6, 1e9),
    fc.array(
      fc.array(fc.oneof(fc.double({ min: -3, max: 3, noNaN: true }), fc.constantFrom(0, 1, 50)), {
        minLength: 1,
        maxLength: 40,
      }),
      {
        minLength: 1,
        maxLength: 12,
      },
    ),
  )
  .map(([offset, all]) => all.map((values) => values.map((value) => offset + value)))

async function duckWindows(all: number[][]) {
  const duck = await openDuckFeatures({
    series: Int32Array.from(all.flatMap((values) => values.map(() => 0))),
    ts: Float64Array.from(all.flatMap((values, i) => values.map((_, j) => START + i * WINDOW + j))),
    values: Float64Array.from(all.flat()),
  })
  await duck.compute()
  const computed = await duck.windows()
  duck.close()
  return computed
}

const mathjsWindow = (values: number[]) => ({
  mean: Number(mean(values)),
  std: values.length > 1 ? Number(std(...values)) : 0,
  median: Number(median(values)),
  mad: Number(mad(values)),
  min: Number(min(values)),
  max: Number(max(values)),
})

/** To 1e-9 of the values' size: the deviations of values on a large offset cannot be had more exactly. */
function expectClose(actual: WindowFeatures, expected: Record<(typeof KEYS)[number], number>) {
  const scale = Math.max(1, Math.abs(expected.mean))
  for (const key of KEYS) expect(Math.abs(actual[key] - expected[key]) / scale).toBeLessThan(1e-9)
}

it('computes the same features from values and from parts as mathjs and DuckDB', async () => {
  await fc.assert(
    fc.asyncProperty(windows, async (all) => {
      const theirs = await duckWindows(all)
      all.forEach((values, i) => {
        const start = START + i * WINDOW
        const own = featuresOfValues(start, values)
        const parts = partsOf(values.map((value, j) => [start + j, value]))
        const fromPart = featuresOfParts(
          parts.map((part) => ({ ...part, windowStart: start, firstTs: part.first, lastTs: part.last })),
        )
        for (const window of [own, fromPart]) {
          expectClose(window, theirs[i]!)
          expectClose(window, mathjsWindow(values))
          expect([window.count, window.windowStart]).toEqual([theirs[i]!.count, theirs[i]!.window_start])
        }
      })
    }),
    { numRuns: 25 },
  )
})
