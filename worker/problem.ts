import type { Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import * as v from 'valibot'
import { errorFields, log } from '../durable-objects/log.ts'
import type { Fault } from '../telemetry/batch-refusal.ts'
import { REJECTION_CODES } from '../telemetry/rejection.ts'
import type { AppEnv } from './app-env.ts'
import { component, told } from './openapi/fields.ts'

/** Status and title of each stable error code. */
export const PROBLEMS = {
  invalid_json: [400, 'The body is not valid JSON'],
  validation_failed: [400, 'The request is malformed'],
  invalid_parameter: [400, 'A query parameter is invalid'],
  no_datapoint_accepted: [400, 'No datapoint of the batch could be accepted'],
  missing_api_key: [401, 'No API key was sent'],
  invalid_api_key: [401, 'The API key is not valid'],
  insufficient_scope: [403, 'The API key does not allow this'],
  tenant_suspended: [403, 'The tenant is suspended'],
  not_found: [404, 'Not found'],
  method_not_allowed: [405, 'Method not allowed'],
  batch_conflict: [409, 'The batch_id was used for other content'],
  name_taken: [409, 'The name is taken'],
  payload_too_large: [413, 'The payload is too large'],
  unsupported_media_type: [415, 'The content type is not supported'],
  unsupported_encoding: [415, 'The content encoding is not supported'],
  rate_limited: [429, 'Too many requests'],
  internal_error: [500, 'Internal error'],
  unavailable: [503, 'Temporarily unavailable'],
} satisfies Record<string, [ContentfulStatusCode, string]>

export type ProblemCode = keyof typeof PROBLEMS

const isProblemCode = (code: string): code is ProblemCode => code in PROBLEMS

export const RejectedFor = component(
  'RejectionCode',
  v.picklist(REJECTION_CODES),
  'Why one datapoint of a well-formed batch was not stored.',
)

const FaultBody = component(
  'Fault',
  v.object({
    path: told(v.string(), 'Where in the request, such as `series[0].points[3][1]`; empty: all of it.'),
    code: v.optional(RejectedFor),
    message: told(v.string(), 'What is wrong there, as a rule to follow.'),
  }),
  'One thing wrong with a request.',
)

export const ProblemBody = component(
  'Problem',
  v.object({
    type: told(v.string(), 'Always `about:blank`: the `code` tells problems apart.'),
    title: told(v.string(), 'What every problem of this `code` has in common.'),
    status: told(v.pipe(v.number(), v.integer()), 'The HTTP status.'),
    detail: told(v.string(), 'One sentence that tells what to do.'),
    code: told(v.picklist(Object.keys(PROBLEMS).filter(isProblemCode)), 'Stable: made for programs.'),
    errors: told(
      v.optional(v.array(FaultBody)),
      'The first 20 faults, where the request itself is at fault.',
    ),
  }),
  'Why a request was not served (RFC 9457).',
  {
    type: 'about:blank',
    title: 'The request is malformed',
    status: 400,
    detail: 'The batch is malformed; correct what "errors" lists and send it again.',
    code: 'validation_failed',
    errors: [{ path: 'series[0].points[3][1]', message: 'must be a finite number or null' }],
  },
)

const RETRY_AFTER_SECONDS = 5

/** An answer that is not a success: RFC 9457, thrown anywhere, rendered once. `detail` says what to do. */
export class Problem extends Error {
  override name = 'Problem'
  readonly code: ProblemCode
  readonly errors: Fault[] | undefined
  readonly retryAfterSeconds: number

  constructor(
    code: ProblemCode,
    detail: string,
    options: { errors?: Fault[]; cause?: unknown; retryAfterSeconds?: number } = {},
  ) {
    super(detail, { cause: options.cause })
    this.code = code
    this.errors = options.errors
    this.retryAfterSeconds = options.retryAfterSeconds ?? RETRY_AFTER_SECONDS
  }
}

/** The 503 of a passing fault: senders keep what they have and try again. */
export const unavailable = (cause?: unknown) =>
  new Problem(
    'unavailable',
    'The service cannot do this right now; send the request again after Retry-After.',
    {
      cause,
    },
  )

/** What is answered to an error that nothing has caught; what nobody foresaw is logged and not told. */
export function toProblem(c: Context<AppEnv>, error: Error): Problem {
  if (!(error instanceof Problem)) {
    log('error', 'internal_error', { ...about(c), ...errorFields(error) })
    return new Problem('internal_error', 'Something is wrong on our side; it has been logged.')
  }
  if (error.code === 'unavailable') log('warn', 'unavailable', { ...about(c), ...errorFields(error.cause) })
  return error
}

const about = (c: Context<AppEnv>) => ({ path: c.req.path, trace_id: c.get('traceId') })

/** The status of a problem's answer, whose `Retry-After` it sets where there is to be one. */
export function statusOf(c: Context, { code, retryAfterSeconds }: Problem): ContentfulStatusCode {
  const [status] = PROBLEMS[code]
  if (status === 503 || status === 429) c.header('Retry-After', String(retryAfterSeconds))
  return status
}

export function renderProblem(c: Context, problem: Problem): Response {
  const [, title] = PROBLEMS[problem.code]
  const status = statusOf(c, problem)
  const body: v.InferOutput<typeof ProblemBody> = {
    type: 'about:blank',
    title,
    status,
    detail: problem.message,
    code: problem.code,
    ...(problem.errors && { errors: problem.errors }),
  }
  return c.json(body, status, { 'content-type': 'application/problem+json' })
}
