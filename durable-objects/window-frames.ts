import * as v from 'valibot'
import { decodeFrame, encodeFrame } from '../telemetry/frame.ts'
import { Sketch } from '../telemetry/sketch.ts'
import type { ClosedWindow, OpenWindow, WindowState } from './window-state.ts'

const Name = v.object({ device: v.string(), metric: v.string(), unit: v.nullable(v.string()) })
/** windowStart, count, mean, m2, min, max, firstTs, lastTs */
const Numbers = v.strictTuple([
  ...[v.number(), v.number(), v.number(), v.number(), v.number(), v.number(), v.number(), v.number()],
] as const)
const SketchBytes = v.number()

const State = v.array(
  v.object({
    name: Name,
    lastTs: v.number(),
    lastArrivalMs: v.number(),
    windows: v.array(v.tuple([Numbers, SketchBytes])),
    full: v.array(v.tuple([Numbers, SketchBytes])),
  }),
)

const Flush = v.object({
  windows: v.array(
    v.object({
      name: Name,
      part: v.number(),
      numbers: Numbers,
      median: v.number(),
      mad: v.number(),
      sketch: SketchBytes,
    }),
  ),
  usage: v.array(
    v.object({
      day: v.string(),
      batches: v.number(),
      datapoints: v.number(),
      bytes: v.number(),
      duplicates: v.number(),
      rejected: v.number(),
    }),
  ),
})

/** One shard's counters for one UTC day of arrival, `YYYY-MM-DD`: absolute values. */
export type DayUsage = v.InferOutput<typeof Flush>['usage'][number]

export interface FlushedWindow extends ClosedWindow {
  /** Unique among the parts of one window and shard. */
  part: number
}

export interface FlushContent {
  windows: FlushedWindow[]
  usage: DayUsage[]
}

/** What the consumer of `edgepulse-windows` reads from the shard. */
export function encodeFlush({ windows, usage }: FlushContent): Uint8Array<ArrayBuffer> {
  const rows = windows.map(({ name, part, median, mad, sketch, ...window }) => {
    return { name, part, numbers: numbersOf(window, window), median, mad, sketch: sketch.length }
  })
  return encodeFrame({ windows: rows, usage }, ...windows.map((window) => window.sketch))
}

export function decodeFlush(frame: Uint8Array): FlushContent {
  const { header, body } = decodeFrame(frame)
  const { windows, usage } = v.parse(Flush, header)
  let at = 0
  return {
    usage,
    windows: windows.map(({ name, part, numbers, median, mad, sketch }) => {
      const [windowStart, count, mean, m2, min, max, firstTs, lastTs] = numbers
      const bytes = new Uint8Array(body, at, sketch)
      at += sketch
      return {
        name,
        part,
        windowStart,
        count,
        mean,
        m2,
        min,
        max,
        firstTs,
        lastTs,
        median,
        mad,
        sketch: bytes,
      }
    }),
  }
}

/** The whole window state, as a checkpoint keeps it. */
export function encodeState(state: WindowState): Uint8Array<ArrayBuffer> {
  const sketches: Uint8Array[] = []
  const encodeWindow = (window: OpenWindow) => {
    const bytes = window.sketch.toBytes()
    sketches.push(bytes)
    return [numbersOf(window, window.moments), bytes.length]
  }
  const header = Array.from(state.values(), ({ windows, full, ...series }) => ({
    ...series,
    windows: Array.from(windows.values(), encodeWindow),
    full: full.map(encodeWindow),
  }))
  return encodeFrame(header, ...sketches)
}

export function decodeState(frame: Uint8Array): WindowState {
  const { header, body } = decodeFrame(frame)
  let at = 0
  const decodeWindow = ([numbers, sketchBytes]: [v.InferOutput<typeof Numbers>, number]): OpenWindow => {
    const [windowStart, count, mean, m2, min, max, firstTs, lastTs] = numbers
    const sketch = Sketch.fromBytes(new Uint8Array(body, at, sketchBytes))
    at += sketchBytes
    return { windowStart, moments: { count, mean, m2 }, min, max, firstTs, lastTs, sketch }
  }
  const state: WindowState = new Map()
  for (const { windows, full, ...series } of v.parse(State, header)) {
    const open = windows.map(decodeWindow)
    state.set(`${series.name.device}\0${series.name.metric}`, {
      ...series,
      windows: new Map(open.map((window) => [window.windowStart, window])),
      full: full.map(decodeWindow),
    })
  }
  return state
}

function numbersOf(
  window: Pick<OpenWindow, 'windowStart' | 'min' | 'max' | 'firstTs' | 'lastTs'>,
  { count, mean, m2 }: OpenWindow['moments'],
): v.InferOutput<typeof Numbers> {
  return [window.windowStart, count, mean, m2, window.min, window.max, window.firstTs, window.lastTs]
}
