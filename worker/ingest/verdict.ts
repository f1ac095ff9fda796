import { type Columns, groupBySeries } from '../../telemetry/columns.ts'
import type { ParsedBatch } from '../../telemetry/parsed-batch.ts'
import { packRejections, type Rejection, type RejectionCode } from '../../telemetry/rejection.ts'

const MAX_AHEAD_MS = 10 * 60_000
const YEAR_2000_MS = Date.UTC(2000, 0, 1)

/** The datapoints that can be stored as far as the batch and the clock tell, and those that cannot. */
export function judgeBatch(
  batch: ParsedBatch,
  receivedAt: number,
): { columns: Columns; rejected: Uint32Array<ArrayBuffer> } {
  const rejections: Rejection[] = []
  let skip: Uint8Array | undefined
  const reject = (ordinal: number, code: RejectionCode) => {
    skip ??= new Uint8Array(batch.ts.length)
    skip[ordinal] = 1
    rejections.push({ ordinal, code })
  }
  for (const ordinal of batch.nulls) reject(ordinal, 'null_value')
  for (const { ordinal, code } of batch.unstorable ?? []) reject(ordinal, code)
  const latest = receivedAt + MAX_AHEAD_MS
  for (let i = 0; i < batch.ts.length; i += 1) {
    const ts = batch.ts[i]!
    if ((ts >= YEAR_2000_MS && ts <= latest) || skip?.[i] === 1) continue
    reject(i, ts > latest ? 'timestamp_in_future' : 'timestamp_too_old')
  }
  const { columns, repeated } = groupBySeries(batch, skip)
  for (const ordinal of repeated) rejections.push({ ordinal, code: 'duplicate_timestamp' })
  return { columns, rejected: packRejections(rejections) }
}

export const REJECTION_MESSAGES: Record<RejectionCode, string> = {
  timestamp_in_future: 'is more than 10 minutes ahead; check the clock',
  timestamp_too_old: 'is older than the retention or before 2000; check the clock and "precision"',
  null_value: 'is null, so there is nothing to store',
  duplicate_timestamp:
    'has the timestamp of a later datapoint of the same series in this batch, which counts',
  series_limit: 'starts a new series beyond the limit of the tenant',
  not_numeric: 'is neither a finite number nor a boolean, so no series can hold it',
  invalid_name:
    'has a device, metric or unit that is not 1 to 128 characters of UTF-8 text without control characters',
  malformed: 'cannot be read; see the reference of the protocol',
}
