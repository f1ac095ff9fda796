import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { emptyBaseline, stepBaseline } from '../../ml-service/baseline/baseline.ts'
import { seededRandom } from '../../telemetry/random.ts'
import { windowStartOf } from '../../telemetry/window.ts'
import { featuresOfValues } from '../../telemetry/window-features.ts'
import { scoreRows } from './score-rows.ts'

const MINUTE = 60_000
const START = Date.UTC(2026, 0, 1)

/** Rows every `stepMs` with noise of ±1 around 70, and 150 at the rows in `spikes`. */
function rows(count: number, stepMs: number, spikes: number[] = []) {
  const random = seededRandom(1)
  const times = Float64Array.from({ length: count }, (_, i) => START + i * stepMs)
  const values = times.map((_, i) => (spikes.includes(i) ? 150 : 70 + random() * 2 - 1))
  return { times, values }
}

/** The onset score of each window by a straight walk over all windows in order of time. */
function walked(times: Float64Array, values: Float64Array): Map<number, number> {
  const windows = new Map<number, Map<number, number>>()
  times.forEach((time, i) => {
    const start = windowStartOf(time)
    windows.set(start, (windows.get(start) ?? new Map()).set(time, values[i]!))
  })
  const baseline = emptyBaseline()
  const starts = [...windows.keys()].sort((a, b) => a - b)
  return new Map(
    starts.map((start) => {
      const features = featuresOfValues(start, [...windows.get(start)!.values()])
      return [start, stepBaseline(baseline, features).onsetScore]
    }),
  )
}

describe('scoreRows()', () => {
  it('gives a row the onset score of its window where each window holds one', () => {
    const { times, values } = rows(600, 5 * MINUTE, [400, 500])
    const windows = walked(times, values)
    const scores = scoreRows(times, values)
    expect([...scores]).toEqual([...times].map((time) => windows.get(time)))
    expect([...scores.keys()].filter((i) => scores[i]! >= 1)).toEqual([400])
  })

  it('writes the score of a window on its last row and 0 on the others', () => {
    const { times, values } = rows(2000, MINUTE, [1702, 1703, 1704])
    const windows = walked(times, values)
    const scores = scoreRows(times, values)
    times.forEach((time, i) => {
      expect(scores[i]).toBe(i % 5 === 4 ? windows.get(windowStartOf(time)) : 0)
    })
    expect(scores[1704]).toBeGreaterThan(1)
  })

  it('tells a window that ends sooner than thought on the row after it', () => {
    const { times, values } = rows(2000, MINUTE, [1700, 1701, 1702])
    const isThere = (_: number, i: number) => i < 1703 || i > 1704
    const scores = scoreRows(times.filter(isThere), values.filter(isThere))
    expect([scores[1702]! >= 1, scores[1703]! >= 1]).toEqual([false, true])
  })

  it('depends on nothing later: a file cut anywhere has the same scores up to the cut', () => {
    const steps = fc.constantFrom(5, 5, 5, 5, 5, 1, 2, 0, 7, 30, 60, -55)
    const arrivals = fc.array(fc.tuple(steps, fc.integer({ min: 0, max: 400 })), {
      minLength: 200,
      maxLength: 300,
    })
    fc.assert(
      fc.property(arrivals, fc.nat(199), (all, cut) => {
        let time = START
        const { times, values } = rows(all.length, 0)
        all.forEach(([step, value], i) => {
          time += step * MINUTE
          times[i] = time
          values[i] = value < 390 ? values[i]! : value
        })
        const whole = scoreRows(times, values)
        expect(scoreRows(times.slice(0, cut), values.slice(0, cut))).toEqual(whole.slice(0, cut))
      }),
      { numRuns: 40 },
    )
  })

  it('counts a repeated timestamp once, with its last value, and takes up what lies back', () => {
    const { times, values } = rows(600, 5 * MINUTE, [580])
    const order = [...times.keys()]
    order.splice(500, 0, 300, 488, 489, 490) // an hour comes again, and one old value
    const [backTimes, backValues] = [times, values].map((column) =>
      Float64Array.from(order, (i) => column[i]!),
    )
    backValues![501] = 71
    values[488] = 71
    const scores = scoreRows(backTimes!, backValues!)
    expect(scores.slice(504)).toEqual(scoreRows(times, values).slice(500))
    expect(scores[584]).toBeGreaterThan(1)
  })

  it('takes no notice of what is no number', () => {
    const { times, values } = rows(300, 5 * MINUTE)
    values[250] = Number.NaN
    const without = scoreRows(
      times.filter((_, i) => i !== 250),
      values.filter((_, i) => i !== 250),
    )
    const scores = scoreRows(times, values)
    expect(scores[250]).toBe(0)
    expect(scores.slice(251)).toEqual(without.slice(250))
  })
})
