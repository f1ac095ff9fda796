import { writeCheckpoint } from './checkpoint.ts'
import { lookAround } from './device-presence.ts'
import { marksBeside, takeReport } from './presence-report.ts'
import { type Progress, writeProgress } from './progress.ts'
import type { ShardStatements } from './tenant-shard-sql.ts'
import { encodeFlush, type FlushedWindow } from './window-frames.ts'
import { closeDueWindows, closeLargestWindows, forgetSilentSeries, type WindowState } from './window-state.ts'

/** Memory that open windows may hold; an isolate has 128 MB, shared by the objects in it. */
export const MAX_STATE_BYTES = 32 * 1024 * 1024
/** What is left after windows were closed for want of memory, so that the next batch does not close more. */
const RELIEVED_STATE_BYTES = 24 * 1024 * 1024
/** A flush stays about this large: well under the 2 MB of a stored value and the 10 MiB of Neon's HTTP body. */
const FLUSH_BYTES = 1_000_000
/** The numbers of a window in a flush. */
const WINDOW_NUMBER_BYTES = 12 * 8
/** A series without open windows is remembered this long for its watermark. */
const FORGET_SERIES_AFTER_MS = 3_600_000
/** Above this only series with open windows are remembered. */
const MAX_REMEMBERED_SERIES = 100_000

/**
 * Moves due windows and changed usage into flushes and checkpoints what stays open. To be called inside one
 * `transactionSync`: should that fail, `state` and `progress` no longer match the storage and the object must
 * start anew. Returns the ids of the flushes to announce.
 */
export function flushWindows(
  db: ShardStatements,
  state: WindowState,
  progress: Progress,
  timing: { now: number; allowedLatenessMs: number; resendAfterMs: number },
): number[] {
  const closed = closeDueWindows(state, timing.now, timing.allowedLatenessMs)
  if (state.bytes > MAX_STATE_BYTES) closed.push(...closeLargestWindows(state, RELIEVED_STATE_BYTES))
  const many = state.series.size > MAX_REMEMBERED_SERIES
  forgetSilentSeries(state, timing.now, many ? 0 : FORGET_SERIES_AFTER_MS)
  const chunks = chunksOf(closed.map((window) => ({ ...window, part: progress.nextPart++ })))
  const told = lookAtDevices(state, timing.now)
  const usage = db.dirtyUsage()
  if (chunks.length === 0 && (usage.length > 0 || told?.isNews)) chunks.push([])
  const nextSendAt = timing.now + timing.resendAfterMs
  const ids = chunks.map((windows, i) => {
    const beside = i === 0 ? { usage, presence: told?.report } : { usage: [] }
    return db.addFlush(encodeFlush({ windows, ...beside }), nextSendAt)
  })
  const [flush] = ids
  if (told && flush !== undefined) state.presence.underWay = { flush, upTo: told.upTo }
  if (usage.length > 0) db.cleanUsage()
  progress.segments = writeCheckpoint(db, state, progress.segments)
  progress.checkpointedUntil = Math.max(progress.checkpointedUntil, db.lastJournalId())
  progress.presence = marksBeside(state.presence)
  writeProgress(db, progress)
  return ids
}

/** What a flush tells of devices; news is worth a flush of its own, and so is that a silence goes on. */
function lookAtDevices({ presence, dirty }: WindowState, now: number) {
  const due = presence.dueMs !== null && presence.dueMs <= now
  for (const { hash } of lookAround(presence, now)) dirty.add(hash)
  const told = takeReport(presence, now)
  return told && { ...told, isNews: due || told.report.devices.length > 0 }
}

function chunksOf(windows: FlushedWindow[]): FlushedWindow[][] {
  const chunks: FlushedWindow[][] = []
  let bytes = Number.POSITIVE_INFINITY
  for (const window of windows) {
    if (bytes >= FLUSH_BYTES) {
      chunks.push([])
      bytes = 0
    }
    chunks.at(-1)!.push(window)
    bytes += window.sketch.length + WINDOW_NUMBER_BYTES + Buffer.byteLength(JSON.stringify(window.name))
  }
  return chunks
}
