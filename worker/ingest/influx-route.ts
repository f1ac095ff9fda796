import { type Context, Hono } from 'hono'
import * as v from 'valibot'
import { LineProtocolParams, lineProtocolFormat } from '../../telemetry/batch-format.ts'
import type { AppEnv } from '../app-env.ts'
import { describedBy, specOf } from '../openapi/description.ts'
import { component, told } from '../openapi/fields.ts'
import { answerSchema } from '../openapi/json-schema.ts'
import { operation } from '../openapi/operation.ts'
import type { ProblemFormat } from '../openapi/problem-responses.ts'
import { keyWith } from '../openapi/security.ts'
import { PROBLEMS, type Problem, statusOf, toProblem } from '../problem.ts'
import { queryOf } from '../query/parameters.ts'
import { ingest } from './ingest.ts'
import { INGEST_HEADERS, INGEST_PROBLEMS } from './ingest-description.ts'

const InfluxError = component(
  'InfluxError',
  v.object({
    code: told(v.string(), 'InfluxDB’s own name of what went wrong.'),
    message: told(v.string(), 'What to do, with the first fault.'),
  }),
  'An error as clients of InfluxDB know it.',
)
const Lines = v.pipe(
  v.string(),
  v.metadata({
    description: 'InfluxDB line protocol; a series is `measurement.field` of the device that a tag names.',
    examples: ['engine,device=pump-7 temperature=71.3,running=t 1767225600000000000'],
  }),
)

/** InfluxDB's own names of what went wrong. */
const CODES: Record<number, string> = {
  400: 'invalid',
  401: 'unauthorized',
  403: 'forbidden',
  409: 'conflict',
  413: 'request too large',
  415: 'unsupported media type',
  429: 'too many requests',
  503: 'unavailable',
}

const INFLUX_FORMAT: ProblemFormat = {
  describe: (codes) => `\`${CODES[PROBLEMS[codes[0]!][0]]}\`, and what to do in \`message\`.`,
  contentOf: () => ({ 'application/json': { schema: answerSchema(InfluxError) } }),
}

const writeLines = describedBy(
  () =>
    specOf({
      operationId: 'writeLineProtocol',
      tag: 'Ingest',
      summary: 'Send datapoints as InfluxDB line protocol',
      description:
        'For clients of InfluxDB v2; their `org` and `bucket` mean nothing here. Such clients drop a batch that is answered with 400, so the answer is 204 wherever something of it was stored.',
      query: LineProtocolParams,
      headers: INGEST_HEADERS,
      body: Lines,
      bodyType: 'text/plain',
      answers: {
        204: {
          description: 'The batch is accepted, or was before.',
          headers: {
            'X-EdgePulse-Batch-Id': { description: 'The id that `getBatch` takes.', required: true },
            'X-EdgePulse-Rejected': { description: 'How many datapoints could not be stored, if any.' },
          },
        },
      },
      // Its batches cannot collide: an id that is made of the content stands for that content.
      problems: ['invalid_parameter', ...INGEST_PROBLEMS.filter((code) => code !== 'batch_conflict')],
      problemFormat: INFLUX_FORMAT,
      security: keyWith(['ingest'], ['influxToken', 'apiKey', 'bearer']),
    }),
  async (c: Context<AppEnv>) => {
    const format = () => lineProtocolFormat(queryOf(c, LineProtocolParams))
    const { batchId, reply } = await ingest(c, format)
    const { rejected } = reply.figures
    c.header('X-EdgePulse-Batch-Id', batchId)
    if (rejected.length > 0) c.header('X-EdgePulse-Rejected', String(rejected.length))
    return c.body(null, 204)
  },
)

/** `POST /api/v2/write`, as clients of InfluxDB v2 know it. */
export const influxRoute = new Hono<AppEnv>()
  .onError((error, c) => renderInfluxError(c, toProblem(c, error)))
  .post('/write', writeLines)

const ping = operation(
  {
    operationId: 'ping',
    tag: 'Service',
    summary: 'Ask whether the service is there, as clients of InfluxDB do',
    returns: 'It is.',
  },
  async () => {},
)

const InfluxHealth = component(
  'InfluxHealth',
  v.object({ name: v.string(), message: v.string(), status: v.literal('pass') }),
  'Health as clients of InfluxDB know it.',
)

const influxHealth = operation(
  {
    operationId: 'getInfluxHealth',
    tag: 'Service',
    summary: 'Ask for the health of the service, as clients of InfluxDB do',
    answer: InfluxHealth,
    returns: 'It is well.',
  },
  async () => ({ name: 'edgepulse', message: 'ready', status: 'pass' as const }),
)

/** What clients ask before they write. */
export const influxProbes = new Hono<AppEnv>().get('/ping', ping).get('/health', influxHealth)

/** With the first fault, as its message is all that such clients log. */
function renderInfluxError(c: Context, problem: Problem): Response {
  const status = statusOf(c, problem)
  const [fault] = problem.code === 'no_datapoint_accepted' ? (problem.errors ?? []) : []
  const message = problem.message + (fault ? ` The first: ${fault.path} ${fault.message}.` : '')
  const body: v.InferOutput<typeof InfluxError> = { code: CODES[status] ?? 'internal error', message }
  return c.json(body, status)
}
