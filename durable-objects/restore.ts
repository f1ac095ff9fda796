import { joinBytes } from './byte-pieces.ts'
import { decodeColumns } from './columns-frame.ts'
import type { ShardStatements } from './tenant-shard-sql.ts'
import { decodeState } from './window-frames.ts'
import { addColumns, type WindowState } from './window-state.ts'

/** The window state as it was after the last commit: the checkpoint, and the journal replayed on it. */
export function restoreWindows(db: ShardStatements): WindowState {
  const pieces = db.checkpoint().map(({ bytes }) => bytes)
  const state: WindowState = pieces.length === 0 ? new Map() : decodeState(joinBytes(pieces))
  let frame: ArrayBuffer[] = []
  for (const { arrival_ms, last, bytes } of db.journal()) {
    frame.push(bytes)
    if (last === 0) continue
    addColumns(state, decodeColumns(joinBytes(frame)), arrival_ms)
    frame = []
  }
  return state
}
