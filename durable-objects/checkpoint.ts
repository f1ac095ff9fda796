import type { Random } from '../telemetry/random.ts'
import { joinBytes, splitBytes } from './byte-pieces.ts'
import { decodeColumns } from './columns-frame.ts'
import { marksOf } from './presence-report.ts'
import type { Progress } from './progress.ts'
import type { ShardStatements } from './tenant-shard-sql.ts'
import { decodeSegment, encodeSegment, type Segment } from './window-frames.ts'
import { addColumns, emptyState, seriesKey, WINDOW_BYTES, type WindowState } from './window-state.ts'

/** A segment holds about this much state: small enough that a few changed series do not rewrite everything. */
const SEGMENT_BYTES = 512 * 1024
/** A series without open windows in a segment, roughly. */
const SERIES_BYTES = 200
/** A device, likewise. */
const DEVICE_BYTES = 150
/** Pieces of a segment are numbered `segment * PIECES … + PIECES - 1`. */
const PIECES = 1000

/**
 * Writes the segments that changed since the last checkpoint. The number of segments follows the size of the
 * state, in powers of two; when it changes everything is written anew. Returns that number.
 */
export function writeCheckpoint(db: ShardStatements, state: WindowState, segments: number): number {
  const { series, presence } = state
  const names = series.size * SERIES_BYTES + presence.devices.size * DEVICE_BYTES
  const wanted = segmentsFor(state.bytes + names, segments)
  const seriesIn = Map.groupBy(series.values(), ({ hash }) => hash % wanted)
  const devicesIn = Map.groupBy(presence.devices.values(), ({ hash }) => hash % wanted)
  const filled = new Set([...seriesIn.keys(), ...devicesIn.keys()])
  const changed = wanted === segments ? new Set([...state.dirty].map((hash) => hash % wanted)) : undefined
  if (changed === undefined) db.cutCheckpoint(0, Number.MAX_SAFE_INTEGER)
  for (const segment of changed ?? filled) {
    const [inIt, devices] = [seriesIn.get(segment) ?? [], devicesIn.get(segment) ?? []]
    writeSegment(db, segment, { series: inIt, devices })
  }
  state.dirty.clear()
  return wanted
}

/** Grows at once, shrinks only when three quarters would be empty, so that it does not swing. */
function segmentsFor(bytes: number, segments: number): number {
  const fitting = 2 ** Math.max(0, Math.ceil(Math.log2(bytes / SEGMENT_BYTES)))
  return fitting > segments || fitting < segments / 4 ? fitting : segments
}

function writeSegment(db: ShardStatements, segment: number, content: Segment): void {
  const empty = content.series.length + content.devices.length === 0
  const pieces = empty ? [] : splitBytes(encodeSegment(content))
  pieces.forEach((piece, i) => {
    db.putCheckpoint(segment * PIECES + i, piece)
  })
  db.cutCheckpoint(segment * PIECES + pieces.length, segment * PIECES + PIECES - 1)
}

/** The window state as it was after the last commit: the checkpoint, and the journal since replayed on it. */
export function restoreWindows(db: ShardStatements, progress: Progress, random: Random): WindowState {
  const state = emptyState()
  Object.assign(state.presence, marksOf(db, progress))
  const segments = Map.groupBy(db.checkpoint(), ({ id }) => Math.floor(id / PIECES))
  for (const pieces of segments.values()) {
    const frame = joinBytes(pieces.map(({ bytes }) => bytes))
    const { series: restored, devices } = decodeSegment(frame, random)
    for (const device of devices) state.presence.devices.set(device.name, device)
    for (const series of restored) {
      state.series.set(seriesKey(series.name), series)
      for (const { sketch } of series.windows.values()) state.bytes += WINDOW_BYTES + sketch.bytes
    }
  }
  let pieces: ArrayBuffer[] = []
  for (const { arrival_ms, entry, bytes } of db.journalAfter(progress.checkpointedUntil)) {
    pieces.push(bytes)
    if (entry === null) continue
    addColumns(state, decodeColumns(joinBytes(pieces)), arrival_ms, random)
    pieces = []
  }
  return state
}
