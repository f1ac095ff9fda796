import * as v from 'valibot'
import { told } from '../openapi/fields.ts'
import type { ProblemCode } from '../problem.ts'
import { KEY_PROBLEMS } from '../tenant-auth.ts'

/** What every protocol's batches may meet. */
export const INGEST_PROBLEMS = [
  ...KEY_PROBLEMS,
  'invalid_json',
  'validation_failed',
  'no_datapoint_accepted',
  'batch_conflict',
  'payload_too_large',
  'unsupported_media_type',
  'unsupported_encoding',
  'rate_limited',
] as const satisfies ProblemCode[]

/** The headers that every protocol takes, besides its content type. */
export const INGEST_HEADERS = v.object({
  'Content-Encoding': told(
    v.optional(v.picklist(['identity', 'gzip'])),
    'At most 8 MiB are taken as sent and 16 MiB inflated.',
  ),
  Traceparent: told(
    v.optional(v.string()),
    'W3C Trace Context: the trace that the batch, its log lines and the webhooks it causes go by. Without one it gets a trace of its own, which the answer’s `Traceparent` names.',
  ),
})
