import type { SeriesName } from '../telemetry/columns.ts'
import { addToMoments, emptyMoments, type Moments } from '../telemetry/moments.ts'
import { Sketch } from '../telemetry/sketch.ts'
import { WINDOW_MS, windowStartOf } from '../telemetry/window.ts'
import type { WindowPart } from '../telemetry/window-features.ts'
import type { JournalColumns } from './columns-frame.ts'

/** A window that still takes datapoints. */
export interface OpenWindow {
  windowStart: number
  moments: Moments
  min: number
  max: number
  firstTs: number
  lastTs: number
  sketch: Sketch
}

export interface SeriesState {
  name: SeriesName
  /** Highest timestamp seen, epoch ms. */
  lastTs: number
  /** When the series was last heard of, by the object's clock. */
  lastArrivalMs: number
  windows: Map<number, OpenWindow>
  /** Windows that reached MAX_WINDOW_VALUES and close early, as a part; what comes after starts another part. */
  full: OpenWindow[]
}

/** Keeps one window's values, 8 bytes each, well under the 2 MB a stored value may have. */
export const MAX_WINDOW_VALUES = 65_536

/** The open windows of one shard, by series. Plain data: rebuilt from checkpoint and journal. */
export type WindowState = Map<string, SeriesState>

/** A window that takes no more datapoints; anything later for it makes another part. */
export interface ClosedWindow extends WindowPart {
  name: SeriesName
}

const keyOf = ({ device, metric }: SeriesName) => `${device}\0${metric}`

/**
 * Adds a batch's datapoints in place, O(datapoints). `arrivalMs` moves the watermarks of the series it touches.
 * Returns the series it touched.
 */
export function addColumns(state: WindowState, columns: JournalColumns, arrivalMs: number): SeriesState[] {
  return columns.series.map((name, s) => {
    const series = seriesOf(state, name, arrivalMs)
    const from = columns.offsets[s]!
    const to = columns.offsets[s + 1]!
    for (let i = from; i < to; i += 1) addDatapoint(series, columns.ts[i]!, columns.values[i]!)
    series.lastTs = Math.max(series.lastTs, columns.ts[to - 1]!)
    series.lastArrivalMs = Math.max(series.lastArrivalMs, arrivalMs)
    if (name.unit !== null) series.name = name
    return series
  })
}

function seriesOf(state: WindowState, name: SeriesName, arrivalMs: number): SeriesState {
  const key = keyOf(name)
  const known = state.get(key)
  if (known) return known
  const series = {
    name,
    lastTs: Number.NEGATIVE_INFINITY,
    lastArrivalMs: arrivalMs,
    windows: new Map(),
    full: [],
  }
  state.set(key, series)
  return series
}

function addDatapoint(series: SeriesState, ts: number, value: number): void {
  const windowStart = windowStartOf(ts)
  let window = series.windows.get(windowStart)
  if (window === undefined) {
    window = {
      windowStart,
      moments: emptyMoments(),
      min: value,
      max: value,
      firstTs: ts,
      lastTs: ts,
      sketch: new Sketch(),
    }
    series.windows.set(windowStart, window)
  }
  addToMoments(window.moments, value)
  window.sketch.add(value)
  window.min = Math.min(window.min, value)
  window.max = Math.max(window.max, value)
  window.firstTs = Math.min(window.firstTs, ts)
  window.lastTs = Math.max(window.lastTs, ts)
  if (window.moments.count < MAX_WINDOW_VALUES) return
  series.full.push(window)
  series.windows.delete(windowStart)
}

/**
 * Event time reached by a series: its highest timestamp, which runs on with the wall clock while it is
 * silent. One rule for busy and slow series, and one device's wrong clock closes nobody else's windows.
 */
const watermarkOf = (series: SeriesState, now: number) =>
  series.lastTs + Math.max(0, now - series.lastArrivalMs)

/** Windows that are full or whose end plus `allowedLatenessMs` the watermark has passed. Leaves the state as it is. */
export function closableWindows(state: WindowState, now: number, allowedLatenessMs: number): ClosedWindow[] {
  const closed: ClosedWindow[] = []
  for (const series of state.values()) {
    const watermark = watermarkOf(series, now)
    for (const window of series.full) closed.push(close(series.name, window))
    for (const window of series.windows.values()) {
      if (window.windowStart + WINDOW_MS + allowedLatenessMs <= watermark)
        closed.push(close(series.name, window))
    }
  }
  return closed
}

function close(name: SeriesName, window: OpenWindow): ClosedWindow {
  const { windowStart, moments, min, max, firstTs, lastTs, sketch } = window
  const order = { median: sketch.median(), mad: sketch.mad(), sketch: sketch.toBytes() }
  return { name, windowStart, ...moments, min, max, firstTs, lastTs, ...order }
}

/**
 * Removes what `closableWindows` gave for the same `now`, and forgets series that hold nothing open and have
 * been silent for `forgetAfterMs`: all a forgotten one loses is that its next late datapoint closes a little later.
 */
export function removeClosable(
  state: WindowState,
  now: number,
  allowedLatenessMs: number,
  forgetAfterMs: number,
): void {
  for (const [key, series] of state) {
    const watermark = watermarkOf(series, now)
    series.full = []
    for (const windowStart of series.windows.keys()) {
      if (windowStart + WINDOW_MS + allowedLatenessMs <= watermark) series.windows.delete(windowStart)
    }
    if (series.windows.size === 0 && now - series.lastArrivalMs > forgetAfterMs) state.delete(key)
  }
}

/** When the next window of these series closes if nothing more arrives; undefined when none is open. O(open windows). */
export function nextCloseAt(series: Iterable<SeriesState>, allowedLatenessMs: number): number | undefined {
  let next = Number.POSITIVE_INFINITY
  for (const { windows, full, lastTs, lastArrivalMs } of series) {
    if (full.length > 0) return Number.NEGATIVE_INFINITY
    for (const windowStart of windows.keys()) {
      next = Math.min(next, windowStart + WINDOW_MS + allowedLatenessMs - lastTs + lastArrivalMs)
    }
  }
  return Number.isFinite(next) ? next : undefined
}
