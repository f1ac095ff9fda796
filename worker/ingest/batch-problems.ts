import { MAX_FAULTS } from '../../telemetry/batch-refusal.ts'
import type { ParsedBatch } from '../../telemetry/parsed-batch.ts'
import { unpackRejections } from '../../telemetry/rejection.ts'
import { Problem } from '../problem.ts'
import { REJECTION_MESSAGES } from './verdict.ts'

export const conflict = () =>
  new Problem('batch_conflict', 'This batch_id was sent before with other content; use a new batch_id.')

/** The limit of the tenant's plan; `waitMs` is when the same batch passes. */
export const rateLimited = (waitMs: number) =>
  new Problem(
    'rate_limited',
    'The plan allows no more right now; send the same batch again after Retry-After.',
    {
      retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)),
    },
  )

/** More bodies are in flight than this isolate can hold. */
export const overBudget = (heldBytes: number, retryAfterSeconds: number) =>
  new Problem(
    'unavailable',
    'Too much is being sent here right now; send the same batch again after Retry-After.',
    { cause: new Error(`bodies in flight hold ${heldBytes} bytes`), retryAfterSeconds },
  )

export const nothingAccepted = (batch: ParsedBatch, rejected: Uint32Array) =>
  new Problem(
    'no_datapoint_accepted',
    'No datapoint of the batch can be stored; "errors" tells why for each.',
    {
      errors: rejectionErrors(batch, rejected),
    },
  )

/** The first rejected datapoints, by their place in the body. */
export function rejectionErrors(batch: ParsedBatch, rejected: Uint32Array) {
  return unpackRejections(rejected.subarray(0, MAX_FAULTS)).map(({ ordinal, code }) => {
    return { path: batch.pathOf(ordinal), code, message: REJECTION_MESSAGES[code] }
  })
}
