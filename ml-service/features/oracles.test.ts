import fc from 'fast-check'
import { expect, it } from 'vitest'
import { openDuckFeatures } from '../../bench/score/duck-features.ts'
import { featuresOfParts, featuresOfValues } from '../../telemetry/window-features.ts'
import { expectClose, mathjsWindow } from '../testing/mathjs-window.ts'
import { partsOf } from '../testing/seed-tenant.ts'
import { WINDOW } from '../testing/synthetic.ts'

const START = Date.UTC(2026, 0, 1)

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
