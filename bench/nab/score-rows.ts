import { emptyBaseline, judge, stepBaseline, type Verdict } from '../../ml-service/baseline/baseline.ts'
import { windowStartOf } from '../../telemetry/window.ts'
import { featuresOfValues } from '../../telemetry/window-features.ts'
import { questionsOf, scoresOf } from './questions.ts'

/**
 * The anomaly score of each row, as live scoring would have had it on the row's arrival: the row that completes its window
 * carries the window's onset score, the others 0. Rows come in the order of the file: a repeated timestamp
 * replaces its value, and one that lies back makes the walk begin again, as a late window does in the product.
 */
export function scoreRows(times: Float64Array, values: Float64Array): Float64Array {
  const questions = questionsOf(times, values)
  const answers = new Float64Array(questions.length)
  const series = new ArrivingSeries()
  let next = 0
  for (let row = 0; row < times.length; row += 1) {
    if (!Number.isFinite(values[row])) continue
    series.add(times[row]!, values[row]!)
    for (; questions[next]?.row === row; next += 1) {
      answers[next] = series.verdict(questions[next]!.windowStart).onsetScore
    }
  }
  return scoresOf(times.length, questions, answers)
}

/** A series whose rows arrive, with the baseline of what lies before the window that is being filled. */
class ArrivingSeries {
  readonly #windows = new Map<number, Map<number, number>>()
  /** Window starts, ascending. */
  readonly #starts: number[] = []
  #baseline = emptyBaseline()
  /** How many of the windows the baseline has learned. */
  #learned = 0
  /** On the last of them. */
  #last: Verdict | undefined

  /** Takes one datapoint. */
  add(time: number, value: number): void {
    const start = windowStartOf(time)
    const known = this.#windows.get(start)
    if (known) known.set(time, value)
    else {
      this.#windows.set(start, new Map([[time, value]]))
      this.#starts.splice(this.#starts.findLastIndex((other) => other < start) + 1, 0, start)
    }
    this.#walkTo(start)
  }

  /** What is known now, on the grounds of the windows before it, of the window being filled or the one before. */
  verdict(start: number): Verdict {
    return this.#last?.windowStart === start ? this.#last : judge(this.#baseline, this.#features(start))
  }

  #walkTo(start: number): void {
    if (start < (this.#baseline.learnedUntil ?? start)) {
      this.#baseline = emptyBaseline()
      this.#learned = 0
      this.#last = undefined
    }
    for (; this.#starts[this.#learned]! < start; this.#learned += 1) {
      this.#last = stepBaseline(this.#baseline, this.#features(this.#starts[this.#learned]!))
    }
  }

  #features(start: number) {
    return featuresOfValues(start, [...this.#windows.get(start)!.values()])
  }
}
