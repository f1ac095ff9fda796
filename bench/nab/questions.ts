import { WINDOW_MS, windowStartOf } from '../../telemetry/window.ts'

/** Steps between rows that tell the usual one. */
const STEPS = 31

/** What a row is to tell: the onset score of a window, as it is with the rows up to this one. */
export interface Question {
  row: number
  windowStart: number
  /** Whether the window was asked for just before: only what goes beyond that answer is news. */
  again: boolean
}

/**
 * Which rows tell of which windows, by the times alone. A row that completes its window tells of it: the next row
 * is due, by the steps so far, in a later one. A window that ends sooner than thought is told by the row after
 * it. Values that are no number are not rows to the product and tell nothing.
 */
export function questionsOf(times: Float64Array, values: Float64Array): Question[] {
  const questions: Question[] = []
  const starts: number[] = [] // of the windows so far, ascending
  const steps: number[] = []
  let told = { start: Number.NaN, isTold: true }
  for (let row = 0; row < times.length; row += 1) {
    if (!Number.isFinite(values[row])) continue
    const time = times[row]!
    const start = windowStartOf(time)
    if (row > 0 && time > times[row - 1]!) {
      if (steps.push(time - times[row - 1]!) > STEPS) steps.shift()
    }
    const before = starts.findLastIndex((other) => other < start)
    if (starts[before + 1] !== start) starts.splice(before + 1, 0, start)
    if (start !== told.start) {
      if (!told.isTold && starts[before] === told.start) {
        questions.push({ row, windowStart: told.start, again: false })
      }
      told = { start, isTold: false }
    }
    if (time + medianOf(steps) < start + WINDOW_MS) continue
    questions.push({ row, windowStart: start, again: told.isTold })
    told.isTold = true
  }
  return questions
}

const medianOf = (steps: number[]) => steps.toSorted((a, b) => a - b)[steps.length >> 1] ?? 0

/** The score of each of `rows` rows from the onset scores that answer the questions: 0 where there was none. */
export function scoresOf(rows: number, questions: Question[], answers: Float64Array): Float64Array {
  const scores = new Float64Array(rows)
  let told = 0
  for (const [i, { row, again }] of questions.entries()) {
    const answer = answers[i]!
    if (!again) told = 0
    if (answer > told) scores[row] = Math.max(scores[row]!, answer)
    told = Math.max(told, answer)
  }
  return scores
}
