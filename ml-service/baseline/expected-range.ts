import type { WindowFeatures } from '../../telemetry/window-features.ts'
import type { Baseline } from './baseline.ts'
import type { History } from './history.ts'
import type { LimitedReading } from './judge-window.ts'
import type { Quiet } from './noise.ts'
import { SMOOTHED, signedLog } from './views.ts'

export interface Range {
  low: number
  high: number
}

/**
 * The medians that would have scored below 1, as far as they hang together about the known value nearest to the window's: known
 * values with gaps that are not too wide, plus the limit on either side, where the views agree. A view that leaves nothing of
 * it is passed over: it would have been anomalous whatever had come.
 */
export function expectedRange(
  { histories: { level, smooth } }: Baseline,
  { median }: WindowFeatures,
  limited: LimitedReading[],
): Range | undefined {
  let range: Range | undefined
  for (const reading of limited) {
    const next = rangeOf(reading, level, smooth, median)
    if (next === undefined) continue
    const both = range ? { low: Math.max(range.low, next.low), high: Math.min(range.high, next.high) } : next
    if (both.low < both.high && Number.isFinite(both.high - both.low)) range = both
  }
  return range
}

function rangeOf(
  reading: LimitedReading,
  level: History,
  smooth: History,
  median: number,
): Range | undefined {
  const { view, value, nearest, limit, usual, quiet } = reading
  switch (view) {
    case 'level':
      return withQuiet(
        reach(level, nearest, (from, by) => from + by * limit),
        quiet,
      )
    case 'log':
      return withQuiet(
        reach(level, nearest, (from, by) => fromSignedLog(signedLog(from) + by * limit)),
        quiet,
      )
    case 'smooth': {
      // The mean moves by a part of what the median moves.
      const parts = Math.min(SMOOTHED, level.size + 1)
      const { low, high } = withQuiet(
        reach(smooth, nearest, (from, by) => from + by * limit),
        quiet,
      )
      return { low: median + (low - value) * parts, high: median + (high - value) * parts }
    }
    case 'hour':
      return usual && withQuiet({ low: usual.low - limit, high: usual.high + limit }, quiet)
    default:
      return undefined
  }
}

/** With what is only noise about the usual, where it joins on. */
function withQuiet(range: Range, quiet: Quiet | undefined): Range {
  if (quiet === undefined) return range
  const { centres, by } = quiet
  let { low, high } = range
  for (const centre of centres) {
    if (centre - by > range.high || centre + by < range.low) continue
    low = Math.min(low, centre - by)
    high = Math.max(high, centre + by)
  }
  return { low, high }
}

const fromSignedLog = (log: number) => Math.sign(log) * Math.expm1(Math.abs(log))

/** Where one is when going `by` limits from a value. */
type Move = (from: number, by: number) => number

/** How far one gets from `start`, a known value, by known values at most two limits apart. */
function reach(history: History, start: number, move: Move): Range {
  const at = history.nearest(start)!
  return { low: move(lastWithin(history, at, -1, move), -1), high: move(lastWithin(history, at, 1, move), 1) }
}

/**
 * The last known value from position `at` in direction `step` before a gap of more than two limits. Leaps: where a whole leap
 * spans no more than that, no gap in it does.
 */
function lastWithin(history: History, at: number, step: 1 | -1, move: Move): number {
  const end = step > 0 ? history.known - 1 : 0
  let here = at
  let leap = 64
  let bound = move(history.sortedAt(here), 2 * step)
  while (here !== end) {
    const next = here + step * Math.min(leap, Math.abs(end - here))
    if ((history.sortedAt(next) - bound) * step <= 0) {
      here = next
      leap *= 4
      bound = move(history.sortedAt(here), 2 * step)
    } else if (leap > 1) leap >>= 2
    else break
  }
  return history.sortedAt(here)
}
