import * as v from 'valibot'
import { NO_MARKS } from './device-presence.ts'
import { Marks } from './presence-frames.ts'
import type { ShardStatements } from './tenant-shard-sql.ts'

const Progress = v.object({
  /** Journal rows up to this id are in the checkpoint. */
  checkpointedUntil: v.number(),
  /** Number of the next window part. */
  nextPart: v.number(),
  /** Into how many segments the checkpoint is divided. */
  segments: v.number(),
  lastBatchAt: v.nullable(v.number()),
  /** As of the last flush; memory goes on from it. */
  presence: v.optional(Marks, NO_MARKS), // older shards have none
})

/** How far a shard has got; one row, written with every flush. */
export type Progress = v.InferOutput<typeof Progress>

const KEY = 'progress'
const NEW: Progress = {
  ...{ checkpointedUntil: 0, nextPart: 1, segments: 1, lastBatchAt: null, presence: NO_MARKS },
}

export function readProgress(db: ShardStatements): Progress {
  const stored = db.meta(KEY)
  if (stored === undefined) return NEW
  return v.parse(Progress, JSON.parse(stored))
}

export function writeProgress(db: ShardStatements, progress: Progress): void {
  db.setMeta(KEY, JSON.stringify(progress))
}
