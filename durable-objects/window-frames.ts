import * as v from 'valibot'
import { decodeFrame, encodeFrame } from '../telemetry/frame.ts'
import type { Random } from '../telemetry/random.ts'
import { Sketch } from '../telemetry/sketch.ts'
import type { Device } from './device-presence.ts'
import type { OpenWindow } from './open-window.ts'
import { DeviceRow, deviceOf, deviceRow, PresenceReport } from './presence-frames.ts'
import { hashOf } from './segment-hash.ts'
import { type ClosedWindow, type SeriesState, seriesKey } from './window-state.ts'

const Text = v.string()
/** device, metric, unit */
const Name = v.tuple([Text, Text, v.nullable(Text)])

/** Of each window: what WINDOW_COLUMNS names, as one run of doubles; its sketch stands behind all of these. */
const WINDOW_COLUMNS = ['windowStart', 'count', 'mean', 'm2', 'min', 'max', 'firstTs', 'lastTs'] as const
const CLOSED_COLUMNS = [...WINDOW_COLUMNS, 'median', 'mad', 'part'] as const

const Usage = v.object({
  day: Text,
  batches: v.number(),
  datapoints: v.number(),
  bytes: v.number(),
  duplicates: v.number(),
  rejected: v.number(),
})

/** One shard's counters for one UTC day of arrival, `YYYY-MM-DD`: absolute values. */
export type DayUsage = v.InferOutput<typeof Usage>

export interface FlushedWindow extends ClosedWindow {
  /** Unique among the parts of one window and shard. */
  part: number
}

export interface FlushContent {
  windows: FlushedWindow[]
  usage: DayUsage[]
  presence?: PresenceReport | undefined
}

const FlushHeader = v.object({
  names: v.array(Name),
  usage: v.array(Usage),
  presence: v.optional(PresenceReport),
})

/** What the consumer of `edgepulse-windows` reads from the shard. */
export function encodeFlush({ windows, usage, presence }: FlushContent): Uint8Array<ArrayBuffer> {
  const header = { names: windows.map(({ name }) => nameTuple(name)), usage, presence }
  return encodeFrame(header, ...windowBytes(windows, CLOSED_COLUMNS))
}

export function decodeFlush(frame: Uint8Array): FlushContent {
  const { header, body } = decodeFrame(frame)
  const { names, usage, presence } = v.parse(FlushHeader, header)
  const rows = readWindows(body, names.length, CLOSED_COLUMNS)
  return { usage, presence, windows: names.map((name, i) => ({ name: nameOf(name), ...rows[i]! })) }
}

const SegmentHeader = v.object({
  names: v.array(Name),
  /** Of each series: lastTs, lastArrivalMs, number of windows. */
  series: v.array(v.tuple([v.number(), v.number(), v.number()])),
  devices: v.optional(v.array(DeviceRow), []), // older checkpoints have none
})

export interface Segment {
  series: SeriesState[]
  devices: Device[]
}

/** Some series with their open windows, and some devices, as a checkpoint keeps them. */
export function encodeSegment({ series, devices }: Segment): Uint8Array<ArrayBuffer> {
  const header = {
    names: series.map(({ name }) => nameTuple(name)),
    series: series.map(({ lastTs, lastArrivalMs, windows }) => [lastTs, lastArrivalMs, windows.size]),
    devices: devices.map(deviceRow),
  }
  const windows = series.flatMap(({ windows }) =>
    Array.from(windows.values(), (window) => ({ ...window, sketch: window.sketch.toBytes() })),
  )
  return encodeFrame(header, ...windowBytes(windows, WINDOW_COLUMNS))
}

export function decodeSegment(frame: Uint8Array, random: Random): Segment {
  const { header, body } = decodeFrame(frame)
  const { names, series, devices } = v.parse(SegmentHeader, header)
  const total = series.reduce((sum, [, , windows]) => sum + windows, 0)
  const rows = readWindows(body, total, WINDOW_COLUMNS)
  let at = 0
  const restored = series.map(([lastTs, lastArrivalMs, windowCount], i) => {
    const name = nameOf(names[i]!)
    const windows = new Map<number, OpenWindow>()
    for (const row of rows.slice(at, at + windowCount)) {
      windows.set(row.windowStart, { ...row, sketch: Sketch.fromBytes(row.sketch, random) })
    }
    at += windowCount
    return { name, hash: hashOf(seriesKey(name)), lastTs, lastArrivalMs, windows }
  })
  return { series: restored, devices: devices.map(deviceOf) }
}

type Row<Column extends string> = Record<Column, number> & { sketch: Uint8Array }

/** The numbers of all windows, the lengths of their sketches, the sketches. */
function windowBytes<Column extends string>(
  rows: Row<Column>[],
  columns: readonly Column[],
): ArrayBufferView[] {
  const numbers = new Float64Array(rows.length * (columns.length + 1))
  rows.forEach((row, i) => {
    columns.forEach((column, c) => {
      numbers[i * (columns.length + 1) + c] = row[column]
    })
    numbers[(i + 1) * (columns.length + 1) - 1] = row.sketch.length
  })
  return [numbers, ...rows.map(({ sketch }) => sketch)]
}

function readWindows<Column extends string>(
  body: ArrayBuffer,
  count: number,
  columns: readonly Column[],
): Row<Column>[] {
  const width = columns.length + 1
  const numbers = new Float64Array(body, 0, count * width)
  let at = numbers.byteLength
  return Array.from({ length: count }, (_, i) => {
    const entries = columns.map((column, c) => [column, numbers[i * width + c]!] as const)
    const bytes = numbers[(i + 1) * width - 1]!
    const sketch = new Uint8Array(body, at, bytes)
    at += bytes
    return { ...(Object.fromEntries(entries) as Record<Column, number>), sketch }
  })
}

const nameTuple = ({ device, metric, unit }: ClosedWindow['name']) => [device, metric, unit]
const nameOf = ([device, metric, unit]: v.InferOutput<typeof Name>) => ({ device, metric, unit })
