import { type Columns, groupBySeries } from './columns.ts'
import type { ParsedBatch } from './parsed-batch.ts'
import type { Rejection } from './rejection.ts'

/** What was stored of a batch, given what was rejected when it was accepted. */
export function acceptedColumns(batch: ParsedBatch, rejections: Rejection[]): Columns {
  if (rejections.length === 0) return groupBySeries(batch).columns
  const skip = new Uint8Array(batch.ts.length)
  for (const { ordinal } of rejections) skip[ordinal] = 1
  return groupBySeries(batch, skip).columns
}
