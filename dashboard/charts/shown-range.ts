import type { TimeSpan } from '../time-range.ts'

/**
 * The seconds that the time axis shows when uPlot proposes `min` to `max`. Proposing all of the data, as at
 * first and when a zoom is undone, means the whole span asked for; anything else is a zoom. For a single
 * value uPlot proposes a range of its own from there on.
 */
export function shownRange(
  time: ArrayLike<number>,
  min: number,
  max: number,
  span: TimeSpan,
): [number, number] {
  const all = min === time[0] && (time.length === 1 || max === time[time.length - 1])
  return all || time.length === 0 ? [span.from / 1000, span.to / 1000] : [min, max]
}
