import { type Context, Hono } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { ParsedBatch } from '../../telemetry/parsed-batch.ts'
import { type RejectionCode, unpackRejections } from '../../telemetry/rejection.ts'
import type { AppEnv } from '../app-env.ts'
import { Problem, statusOf, toProblem } from '../problem.ts'
import { type BatchFormat, otlpJsonFormat, otlpProtobufFormat } from './batch-format.ts'
import { ingest } from './ingest.ts'
import { exportResponse, type OtlpAnswer, rpcStatus } from './otlp-answers.ts'
import { mediaTypeOf } from './read-body.ts'
import { REJECTION_MESSAGES } from './verdict.ts'

const PROTOBUF = 'application/x-protobuf'

/**
 * `POST /otlp/v1/metrics` of OTLP/HTTP. Its clients send what is answered with 429 or 503 again and drop all else.
 * 200 is the answer wherever something was stored, 400 where nothing could be: the specification's partial success
 * is for requests of which something was accepted.
 */
export const otlpRoute = new Hono<AppEnv>()
  .onError((error, c) => renderOtlpError(c, toProblem(c, error)))
  .post('/metrics', async (c) => {
    const { batch, batchId, reply } = await ingest(c, () => formatOf(c))
    c.header('X-EdgePulse-Batch-Id', batchId)
    const { count, message } = rejectedPoints(batch, reply.figures.rejected)
    return answer(c, 200, exportResponse(count, message))
  })

function formatOf(c: Context): BatchFormat {
  const type = mediaTypeOf(c.req.raw.headers)
  if (type === PROTOBUF) return otlpProtobufFormat
  if (type === 'application/json') return otlpJsonFormat
  throw new Problem(
    'unsupported_media_type',
    `Send metrics with Content-Type: ${PROTOBUF} or application/json.`,
  )
}

/** In the encoding of the request. */
function answer(c: Context, status: ContentfulStatusCode, { json, protobuf }: OtlpAnswer): Response {
  if (mediaTypeOf(c.req.raw.headers) !== PROTOBUF) return c.json(json, status)
  return c.body(protobuf, status, { 'content-type': PROTOBUF })
}

/**
 * How many of the sender's datapoints were rejected: of a histogram, count and sum are one. The message has the
 * first for each reason, as its clients only log it.
 */
function rejectedPoints(batch: ParsedBatch, rejected: Uint32Array): { count: number; message: string } {
  const points = new Set<string>()
  const firsts = new Map<RejectionCode, string>()
  for (const { ordinal, code } of unpackRejections(rejected)) {
    const path = batch.pathOf(ordinal)
    points.add(path)
    if (!firsts.has(code)) firsts.set(code, `${path} ${REJECTION_MESSAGES[code]}`)
  }
  return {
    count: points.size,
    message: `Not stored, the first for each reason: ${[...firsts.values()].join('; ')}.`,
  }
}

/** What google.rpc.Code calls what went wrong. */
const CODES: Record<number, number> = {
  400: 3, // INVALID_ARGUMENT
  401: 16, // UNAUTHENTICATED
  403: 7, // PERMISSION_DENIED
  409: 6, // ALREADY_EXISTS
  413: 8, // RESOURCE_EXHAUSTED
  415: 3, // INVALID_ARGUMENT
  429: 8, // RESOURCE_EXHAUSTED
  503: 14, // UNAVAILABLE
}
const INTERNAL = 13

function renderOtlpError(c: Context, problem: Problem): Response {
  const { errors = [], message } = problem
  // Nothing was sent, so nothing is wrong; and the key may ingest, or the problem would be another.
  if (problem.code === 'no_datapoint_accepted' && errors.length === 0) {
    return answer(c, 200, exportResponse(0, ''))
  }
  const status = statusOf(c, problem)
  const [first] = errors
  const told = message + (first ? ` The first: ${first.path} ${first.message}.` : '')
  return answer(c, status, rpcStatus(CODES[status] ?? INTERNAL, told, errors))
}
