import type { History } from './history.ts'

/** Windows of a standstill that count: a day. It bounds what a metric that never changes costs. */
const MAX_RUN = 288

/**
 * A standstill is anomalous from twice as long as any before, and from six windows on: so a run's length is a
 * logarithm, and what it teaches is shorter by the log of LEAST_RUN / 2.
 */
const LEAST_RUN = 6
export const STILL_MARGIN = Math.log(LEAST_RUN)

/** What a run that has ended teaches: 0 for all of up to three windows. */
export const lessonOfRun = (run: number) => Math.max(0, Math.log((2 * run) / LEAST_RUN))

/** How many windows, up to now, have had exactly this median: at least 1, at most MAX_RUN. O(that). */
export function runOf(level: History, value: number): number {
  let run = 1
  for (let i = level.size - 1; i >= 0 && run < MAX_RUN && level.valueAt(i) === value; i -= 1) run += 1
  return run
}

/** The length of the run that `value` ends; undefined where it goes on. */
export function endedRun(level: History, value: number): number | undefined {
  const last = level.size - 1
  if (last < 0 || level.valueAt(last) === value) return undefined
  return Math.max(1, runOf(level, level.valueAt(last)) - 1) // the last window itself was counted twice
}
