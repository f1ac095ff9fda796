import { addRunToMoments, type Moments } from '../telemetry/moments.ts'
import type { Sketch } from '../telemetry/sketch.ts'
import { WINDOW_MS, windowStartOf } from '../telemetry/window.ts'
import type { JournalColumns } from './columns-frame.ts'

/** A window that still takes datapoints. */
export interface OpenWindow extends Moments {
  windowStart: number
  min: number
  max: number
  firstTs: number
  lastTs: number
  sketch: Sketch
}

/** A window that holds nothing yet and is about to take this datapoint. */
export const openWindow = (windowStart: number, ts: number, value: number, sketch: Sketch): OpenWindow => ({
  ...{ windowStart, count: 0, mean: 0, m2: 0, min: value, max: value, firstTs: ts, lastTs: ts, sketch },
})

/** Where the datapoints that share the window of the one at `start` end, at `to` at the latest. */
export function windowRunEnd(ts: Float64Array, start: number, to: number): number {
  const windowEnd = windowStartOf(ts[start]!) + WINDOW_MS
  let end = start + 1
  while (end < to && ts[end]! < windowEnd) end += 1
  return end
}

/** Adds the datapoints from `start` to `end`, all of this window and ascending in time, in place. */
export function addRunToWindow(
  window: OpenWindow,
  { ts, values }: JournalColumns,
  start: number,
  end: number,
): void {
  addRunToMoments(window, values, start, end)
  window.sketch.addRun(values, start, end)
  let { min, max } = window
  for (let i = start; i < end; i += 1) {
    const value = values[i]!
    if (value < min) min = value
    if (value > max) max = value
  }
  window.min = min
  window.max = max
  window.firstTs = Math.min(window.firstTs, ts[start]!)
  window.lastTs = Math.max(window.lastTs, ts[end - 1]!)
}
