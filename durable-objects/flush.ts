import { splitBytes } from './byte-pieces.ts'
import type { ShardStatements } from './tenant-shard-sql.ts'
import { encodeFlush, encodeState, type FlushedWindow } from './window-frames.ts'
import { closableWindows, removeClosable, type WindowState } from './window-state.ts'

/** A flush stays under this but for its last window, which is at most 0.5 MB: together under a stored value's 2 MB. */
const FLUSH_BYTES = 1_000_000
/** Numbers and names of a window in a flush, roughly. */
const WINDOW_OVERHEAD_BYTES = 400
/** A series without open windows is remembered this long for its watermark. */
const FORGET_SERIES_AFTER_MS = 3_600_000

const NEXT_PART = 'next_part'

/**
 * Moves all closable windows and changed usage into flushes, checkpoints what stays open and cuts the journal.
 * To be called inside one `transactionSync`: if that fails, `state` no longer matches the storage and the
 * object must start anew. Returns the ids of the flushes to announce.
 */
export function flushWindows(
  db: ShardStatements,
  state: WindowState,
  timing: { now: number; allowedLatenessMs: number; resendAfterMs: number },
): number[] {
  const { now, allowedLatenessMs } = timing
  let part = Number(db.meta(NEXT_PART) ?? 1)
  const windows = closableWindows(state, now, allowedLatenessMs).map((window) => ({
    ...window,
    part: part++,
  }))
  const usage = db.dirtyUsage()
  removeClosable(state, now, allowedLatenessMs, FORGET_SERIES_AFTER_MS)
  if (windows.length > 0) db.setMeta(NEXT_PART, String(part))
  const chunks = chunksOf(windows)
  if (chunks.length === 0 && usage.length > 0) chunks.push([])
  const ids = chunks.map((chunk, i) => {
    const bytes = encodeFlush({ windows: chunk, usage: i === 0 ? usage : [] })
    return db.addFlush(bytes, now + timing.resendAfterMs)
  })
  if (usage.length > 0) db.cleanUsage()
  checkpoint(db, state)
  return ids
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
    bytes += window.sketch.length + WINDOW_OVERHEAD_BYTES
  }
  return chunks
}

function checkpoint(db: ShardStatements, state: WindowState): void {
  db.clearCheckpoint()
  splitBytes(encodeState(state)).forEach((piece, i) => {
    db.addCheckpoint(i, piece)
  })
  db.clearJournal()
}
