import { windowStartOf } from '../../telemetry/window.ts'
import type { Question } from './questions.ts'

/** Rows that can be stored at once, `from <= row < to`, before what they ask is read. */
export interface Stage {
  from: number
  to: number
  /** Numbers of the questions, `first <= number < last`. */
  first: number
  last: number
}

/**
 * As few stages as answer every question as it was on its row: rows that come later may be there already, as long
 * as they lie behind the window asked for. One that does not begins a stage.
 */
export function stagesOf(times: Float64Array, values: Float64Array, questions: Question[]): Stage[] {
  const stages: Stage[] = []
  let stage = { from: 0, to: 0, first: 0, last: 0 }
  let askedFor = Number.NEGATIVE_INFINITY
  for (let row = 0; row < times.length; row += 1) {
    if (Number.isFinite(values[row]) && windowStartOf(times[row]!) <= askedFor) {
      stages.push(stage)
      stage = { from: row, to: row, first: stage.last, last: stage.last }
      askedFor = Number.NEGATIVE_INFINITY
    }
    stage.to = row + 1
    for (; questions[stage.last]?.row === row; stage.last += 1) {
      askedFor = Math.max(askedFor, questions[stage.last]!.windowStart)
    }
  }
  return [...stages, stage]
}
