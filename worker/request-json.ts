import type { Context } from 'hono'
import * as v from 'valibot'
import { type Fault, MAX_FAULTS } from '../telemetry/batch-refusal.ts'
import { issuePath } from '../telemetry/issue-path.ts'
import { readBounded } from './ingest/read-body.ts'
import { Problem } from './problem.ts'

/** Bodies that describe one rule, webhook, tenant or key. */
const MAX_BODY_BYTES = 64 * 1024

/** The request's JSON body as `schema` gives it; 400 with the faults' paths otherwise. */
export async function requestJson<Schema extends v.GenericSchema>(
  c: Context,
  schema: Schema,
): Promise<v.InferOutput<Schema>> {
  const body = await readJson(c.req.raw)
  // To valibot a list is an object, too.
  if (Array.isArray(body)) throw malformed([{ path: '', message: 'must be a JSON object' }])
  const result = v.safeParse(schema, body)
  if (result.success) return result.output
  throw malformed(
    result.issues.slice(0, MAX_FAULTS).map((issue) => ({ path: issuePath(issue), message: issue.message })),
  )
}

const malformed = (errors: Fault[]) =>
  new Problem('validation_failed', 'The request is malformed; correct what "errors" lists.', { errors })

async function readJson(request: Request): Promise<unknown> {
  try {
    const bytes = request.body ? await readBounded(request.body, MAX_BODY_BYTES, tooLarge) : new Uint8Array()
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes))
  } catch (error) {
    if (error instanceof Problem) throw error
    throw new Problem('invalid_json', 'The body is not valid JSON; send one JSON object in UTF-8.')
  }
}

const tooLarge = () =>
  new Problem('payload_too_large', `This body has at most ${MAX_BODY_BYTES} bytes; send less.`)
