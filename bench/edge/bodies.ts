import { type BatchPlan, batchText } from '../batches.ts'

/** Datapoints in the bodies that one cycle goes through: one after the other in time, as a gateway sends them. */
const CYCLE_DATAPOINTS = 12_000
/** Longer than any cycle: nothing is in the future. */
const SPAN_MS = 86_400_000

export const plan = (shape: BatchPlan['shape'], series: number, points: number): BatchPlan => ({
  ...{ shape, series, points },
})

/** The bodies of one cycle, all in the day before `now`. */
export function bodiesOf(plan: BatchPlan, now: number): string[] {
  const bodies = Math.max(2, Math.floor(CYCLE_DATAPOINTS / (plan.series * plan.points)))
  return Array.from({ length: bodies }, (_, i) => batchText(plan, now - SPAN_MS + i * plan.points * 1000))
}
