import { type Context, Hono } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import * as v from 'valibot'
import { type BatchFormat, otlpJsonFormat, otlpProtobufFormat } from '../../telemetry/batch-format.ts'
import type { ParsedBatch } from '../../telemetry/parsed-batch.ts'
import { type RejectionCode, unpackRejections } from '../../telemetry/rejection.ts'
import type { AppEnv } from '../app-env.ts'
import { contentOf, describedBy, specOf } from '../openapi/description.ts'
import { answerSchema } from '../openapi/json-schema.ts'
import type { ProblemFormat } from '../openapi/problem-responses.ts'
import { keyWith } from '../openapi/security.ts'
import { PROBLEMS, Problem, statusOf, toProblem } from '../problem.ts'
import { ingest } from './ingest.ts'
import { INGEST_HEADERS, INGEST_PROBLEMS } from './ingest-description.ts'
import { ExportResponse, exportResponse, type OtlpAnswer, RpcStatus, rpcStatus } from './otlp-answers.ts'
import { OtlpMetrics } from './otlp-description.ts'
import { mediaTypeOf } from './read-body.ts'
import { REJECTION_MESSAGES } from './verdict.ts'

const PROTOBUF = 'application/x-protobuf'

/** What google.rpc.Code calls what went wrong. */
const CODES: Record<number, number> = {
  400: 3, // INVALID_ARGUMENT
  401: 16, // UNAUTHENTICATED
  403: 7, // PERMISSION_DENIED
  413: 8, // RESOURCE_EXHAUSTED
  415: 3, // INVALID_ARGUMENT
  429: 8, // RESOURCE_EXHAUSTED
  503: 14, // UNAVAILABLE
}
const INTERNAL = 13

const inProtobuf = (message: string) => ({
  [PROTOBUF]: v.pipe(v.string(), v.description(`\`${message}\` in protobuf.`)),
})

const OTLP_FORMAT: ProblemFormat = {
  describe: (codes) => `Code ${CODES[PROBLEMS[codes[0]!][0]]}, and what to do in \`message\`.`,
  contentOf: () =>
    contentOf({ 'application/json': RpcStatus, ...inProtobuf('google.rpc.Status') }, answerSchema),
}

const exportMetrics = describedBy(
  () =>
    specOf({
      operationId: 'exportOtlpMetrics',
      tag: 'Ingest',
      summary: 'Send metrics by the OpenTelemetry protocol',
      description:
        'OTLP/HTTP as its specification has it. Its clients send again what is answered with 429 or 503 and drop what is answered with 400, so the answer is 200 wherever something was stored.',
      headers: INGEST_HEADERS,
      body: OtlpMetrics,
      otherBodies: inProtobuf('ExportMetricsServiceRequest'),
      answers: {
        200: {
          description: 'The export is accepted, or was before; or it was empty.',
          schema: ExportResponse,
          others: inProtobuf('ExportMetricsServiceResponse'),
          headers: {
            'X-EdgePulse-Batch-Id': {
              description: 'The id that `getBatch` takes, where there was a datapoint.',
            },
          },
        },
      },
      // Its batches cannot collide: an id that is made of the content stands for that content.
      problems: INGEST_PROBLEMS.filter((code) => code !== 'batch_conflict'),
      problemFormat: OTLP_FORMAT,
      security: keyWith(['ingest']),
    }),
  async (c: Context<AppEnv>) => {
    const { batch, batchId, reply } = await ingest(c, () => formatOf(c))
    c.header('X-EdgePulse-Batch-Id', batchId)
    const { count, message } = rejectedPoints(batch, reply.figures.rejected)
    return answer(c, 200, exportResponse(count, message))
  },
)

/**
 * `POST /otlp/v1/metrics` of OTLP/HTTP. 400 is the answer where nothing could be stored: the specification's
 * partial success is for requests of which something was accepted.
 */
export const otlpRoute = new Hono<AppEnv>()
  .onError((error, c) => renderOtlpError(c, toProblem(c, error)))
  .post('/metrics', exportMetrics)

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
