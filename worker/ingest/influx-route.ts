import { type Context, Hono } from 'hono'
import * as v from 'valibot'
import type { AppEnv } from '../app-env.ts'
import { type Problem, statusOf, toProblem } from '../problem.ts'
import { invalidParameter } from '../query/parameters.ts'
import { type BatchFormat, LineProtocolParams, lineProtocolFormat } from './batch-format.ts'
import { ingest } from './ingest.ts'

/**
 * `POST /api/v2/write`, as clients of InfluxDB v2 know it; organization and bucket mean nothing here. Such
 * clients drop a batch that is answered with 400, so 204 is the answer wherever something of it was stored, and
 * says in a header how many datapoints were not.
 */
export const influxRoute = new Hono<AppEnv>()
  .onError((error, c) => renderInfluxError(c, toProblem(c, error)))
  .post('/write', async (c) => {
    const { batchId, reply } = await ingest(c, () => formatOf(c))
    const { rejected } = reply.figures
    c.header('X-EdgePulse-Batch-Id', batchId)
    if (rejected.length > 0) c.header('X-EdgePulse-Rejected', String(rejected.length))
    return c.body(null, 204)
  })

/** What clients ask before they write. */
export const influxProbes = new Hono<AppEnv>()
  .get('/ping', (c) => c.body(null, 204))
  .get('/health', (c) => c.json({ name: 'edgepulse', message: 'ready', status: 'pass' }))

function formatOf(c: Context): BatchFormat {
  const params = v.safeParse(LineProtocolParams, c.req.query())
  if (params.success) return lineProtocolFormat(params.output)
  const [issue] = params.issues
  throw invalidParameter(v.getDotPath(issue) ?? '', issue.message)
}

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

/** With the first fault, as its message is all that such clients log. */
function renderInfluxError(c: Context, problem: Problem): Response {
  const status = statusOf(c, problem)
  const [fault] = problem.code === 'no_datapoint_accepted' ? (problem.errors ?? []) : []
  const message = problem.message + (fault ? ` The first: ${fault.path} ${fault.message}.` : '')
  return c.json({ code: CODES[status] ?? 'internal error', message }, status)
}
