import { emptyBaseline, judge, stepBaseline, type Verdict } from '../../ml-service/baseline/baseline.ts'
import { WINDOW_MS, windowStartOf } from '../../telemetry/window.ts'
import { featuresOfValues } from '../../telemetry/window-features.ts'

/** Steps between rows that tell the usual one. */
const STEPS = 31

/**
 * The anomaly score of each row, as live scoring would have had it on the row's arrival: the row that completes its window
 * carries the window's onset score, the others 0. A row completes its window when the next is due, by
 * the steps so far, in a later one; a window that ends sooner than thought is told by the row after it.
 * Rows come in the order of the file: a repeated timestamp replaces its value, and one that lies back
 * makes the walk begin again, as a late window does in the product. Values that are no number are not rows to
 * the product and score 0.
 */
export function scoreRows(times: Float64Array, values: Float64Array): Float64Array {
  const scores = new Float64Array(times.length)
  const series = new ArrivingSeries()
  const steps: number[] = []
  let told = { start: Number.NaN, score: 0, isTold: true }
  for (let row = 0; row < times.length; row += 1) {
    if (!Number.isFinite(values[row])) continue
    const time = times[row]!
    const start = windowStartOf(time)
    if (row > 0 && time > times[row - 1]!) {
      if (steps.push(time - times[row - 1]!) > STEPS) steps.shift()
    }
    const before = series.add(time, values[row]!)
    if (start !== told.start) {
      if (!told.isTold && before?.windowStart === told.start) scores[row] = before.onsetScore
      told = { start, score: 0, isTold: false }
    }
    if (time + medianOf(steps) < start + WINDOW_MS) continue
    const { onsetScore } = series.verdict(start)
    if (onsetScore > told.score) scores[row] = Math.max(scores[row]!, onsetScore)
    told = { start, score: Math.max(told.score, onsetScore), isTold: true }
  }
  return scores
}

const medianOf = (steps: number[]) => steps.toSorted((a, b) => a - b)[steps.length >> 1] ?? 0

/** A series whose rows arrive, with the baseline of what lies before the window that is being filled. */
class ArrivingSeries {
  readonly #windows = new Map<number, Map<number, number>>()
  /** Window starts, ascending. */
  readonly #starts: number[] = []
  #baseline = emptyBaseline()
  /** How many of the windows the baseline has learned. */
  #learned = 0

  /** Takes one datapoint. Returns the verdict on the newest window that is complete by its coming. */
  add(time: number, value: number): Verdict | undefined {
    const start = windowStartOf(time)
    const known = this.#windows.get(start)
    if (known) known.set(time, value)
    else {
      this.#windows.set(start, new Map([[time, value]]))
      this.#starts.splice(this.#starts.findLastIndex((other) => other < start) + 1, 0, start)
    }
    return this.#walkTo(start)
  }

  /** What is known of the window now, on the grounds of the windows before it. */
  verdict(start: number): Verdict {
    return judge(this.#baseline, this.#features(start))
  }

  #walkTo(start: number): Verdict | undefined {
    if (start < (this.#baseline.learnedUntil ?? start)) {
      this.#baseline = emptyBaseline()
      this.#learned = 0
    }
    let last: Verdict | undefined
    for (; this.#starts[this.#learned]! < start; this.#learned += 1) {
      last = stepBaseline(this.#baseline, this.#features(this.#starts[this.#learned]!))
    }
    return last
  }

  #features(start: number) {
    return featuresOfValues(start, [...this.#windows.get(start)!.values()])
  }
}
