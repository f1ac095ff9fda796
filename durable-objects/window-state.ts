import type { SeriesName } from '../telemetry/columns.ts'
import type { Random } from '../telemetry/random.ts'
import { Sketch } from '../telemetry/sketch.ts'
import { WINDOW_MS, windowStartOf } from '../telemetry/window.ts'
import type { WindowPart } from '../telemetry/window-features.ts'
import type { JournalColumns } from './columns-frame.ts'
import { emptyPresence, hear, type Presence } from './device-presence.ts'
import { addRunToWindow, type OpenWindow, openWindow, windowRunEnd } from './open-window.ts'
import { hashOf } from './segment-hash.ts'

export interface SeriesState {
  name: SeriesName
  /** Hash of the name: which segment of a checkpoint the series is in. */
  hash: number
  /** Highest timestamp seen, epoch ms. */
  lastTs: number
  /** When the series was last heard of, by the object's clock. */
  lastArrivalMs: number
  windows: Map<number, OpenWindow>
}

/** The open windows of one shard, by series, and who sends. Rebuilt from checkpoint and journal. */
export interface WindowState {
  series: Map<string, SeriesState>
  presence: Presence
  /** Memory that the open windows hold, roughly; see WINDOW_BYTES. */
  bytes: number
  /** Hashes of series and devices that changed since the last checkpoint. */
  dirty: Set<number>
}

/** A window that takes no more datapoints; anything later for it makes another part. */
export interface ClosedWindow extends WindowPart {
  name: SeriesName
}

/** What an open window takes beside its values: objects, boxed numbers, typed array headers (measured: 540). */
export const WINDOW_BYTES = 560

export const emptyState = (): WindowState => ({
  ...{ series: new Map(), presence: emptyPresence(), bytes: 0, dirty: new Set() },
})

export const seriesKey = ({ device, metric }: SeriesName) => `${device}\0${metric}`

/**
 * Adds a batch's datapoints in place, O(datapoints). `arrivalMs` moves the watermarks of the series it touches;
 * `random` is for sketches. Returns the series it touched.
 */
export function addColumns(
  state: WindowState,
  columns: JournalColumns,
  arrivalMs: number,
  random: Random,
): SeriesState[] {
  hearDevices(state, columns, arrivalMs)
  return columns.series.map((name, s) => {
    const series = seriesOf(state, name, arrivalMs)
    const from = columns.offsets[s]!
    const to = columns.offsets[s + 1]!
    // Ascending, so those of one window stand together: it is looked up and accounted for once.
    for (let start = from, end = from; start < to; start = end) {
      end = windowRunEnd(columns.ts, start, to)
      addRun(state, series, columns, [start, end], random)
    }
    series.lastTs = Math.max(series.lastTs, columns.ts[to - 1]!)
    series.lastArrivalMs = Math.max(series.lastArrivalMs, arrivalMs)
    if (name.unit !== null) series.name = name
    state.dirty.add(series.hash)
    return series
  })
}

function hearDevices({ presence, dirty }: WindowState, { series }: JournalColumns, arrivalMs: number): void {
  let before: string | undefined
  for (const { device: name } of series) {
    if (name === before) continue // series of one device mostly stand together
    before = name
    const device = hear(presence, name, arrivalMs)
    if (device !== undefined) dirty.add(device.hash)
  }
}

function seriesOf(state: WindowState, name: SeriesName, arrivalMs: number): SeriesState {
  const key = seriesKey(name)
  const known = state.series.get(key)
  if (known) return known
  const hash = hashOf(key)
  const series = {
    name,
    hash,
    lastTs: Number.NEGATIVE_INFINITY,
    lastArrivalMs: arrivalMs,
    windows: new Map(),
  }
  state.series.set(key, series)
  return series
}

/** Adds the datapoints from `start` to `end`, all of one window. */
function addRun(
  state: WindowState,
  series: SeriesState,
  columns: JournalColumns,
  [start, end]: [number, number],
  random: Random,
): void {
  const windowStart = windowStartOf(columns.ts[start]!)
  let window = series.windows.get(windowStart)
  if (window === undefined) {
    window = openWindow(windowStart, columns.ts[start]!, columns.values[start]!, new Sketch(random))
    series.windows.set(windowStart, window)
    state.bytes += WINDOW_BYTES + window.sketch.bytes
  }
  state.bytes -= window.sketch.bytes
  addRunToWindow(window, columns, start, end)
  state.bytes += window.sketch.bytes
}

/**
 * Event time reached by a series: its highest timestamp, which runs on with the wall clock while it is
 * silent. One rule for busy and slow series, and one device's wrong clock closes nobody else's windows.
 */
const watermarkOf = (series: SeriesState, now: number) =>
  series.lastTs + Math.max(0, now - series.lastArrivalMs)

/** Closes all windows whose end plus `allowedLatenessMs` the watermark has passed, and takes them out of the state. */
export function closeDueWindows(state: WindowState, now: number, allowedLatenessMs: number): ClosedWindow[] {
  const closed: ClosedWindow[] = []
  for (const series of state.series.values()) {
    const closableUntil = watermarkOf(series, now) - WINDOW_MS - allowedLatenessMs
    for (const window of series.windows.values()) {
      if (window.windowStart <= closableUntil) closed.push(take(state, series, window))
    }
  }
  return closed
}

/**
 * Closes the largest windows, as parts, until the state holds at most `maxBytes`: memory is bounded whatever
 * tenants send, and parts lose nothing. O(w log w) of the open windows.
 */
export function closeLargestWindows(state: WindowState, maxBytes: number): ClosedWindow[] {
  const open = [...state.series.values()].flatMap((series) =>
    Array.from(series.windows.values(), (window) => ({ series, window })),
  )
  open.sort(
    (a, b) => b.window.sketch.bytes - a.window.sketch.bytes || a.window.windowStart - b.window.windowStart,
  )
  const closed: ClosedWindow[] = []
  for (const { series, window } of open) {
    if (state.bytes <= maxBytes) break
    closed.push(take(state, series, window))
  }
  return closed
}

function take(state: WindowState, series: SeriesState, window: OpenWindow): ClosedWindow {
  series.windows.delete(window.windowStart)
  state.bytes -= WINDOW_BYTES + window.sketch.bytes
  state.dirty.add(series.hash)
  const { sketch, ...numbers } = window
  return {
    name: series.name,
    ...numbers,
    median: sketch.median(),
    mad: sketch.mad(),
    sketch: sketch.toBytes(),
  }
}

/**
 * Forgets series that hold nothing open and have been silent for `forgetAfterMs`: all that one loses is its
 * watermark, so its next late datapoint closes a little later.
 */
export function forgetSilentSeries(state: WindowState, now: number, forgetAfterMs: number): void {
  for (const [key, series] of state.series) {
    if (series.windows.size > 0 || now - series.lastArrivalMs <= forgetAfterMs) continue
    state.series.delete(key)
    state.dirty.add(series.hash)
  }
}

/** When the next window of these series closes if nothing more arrives; undefined when none is open. O(open windows). */
export function nextCloseAt(series: Iterable<SeriesState>, allowedLatenessMs: number): number | undefined {
  let next = Number.POSITIVE_INFINITY
  for (const { windows, lastTs, lastArrivalMs } of series) {
    for (const windowStart of windows.keys()) {
      next = Math.min(next, windowStart + WINDOW_MS + allowedLatenessMs - lastTs + lastArrivalMs)
    }
  }
  return Number.isFinite(next) ? next : undefined
}
