import type { Context } from 'hono'
import * as v from 'valibot'
import { MAX_FAULTS } from '../telemetry/batch-refusal.ts'
import { Problem } from './problem.ts'

/** The request's JSON body as `schema` gives it; 400 with the faults' paths otherwise. */
export async function requestJson<Schema extends v.GenericSchema>(
  c: Context,
  schema: Schema,
): Promise<v.InferOutput<Schema>> {
  const body: unknown = await c.req.json().catch(() => {
    throw new Problem('invalid_json', 'The body is not valid JSON; send one JSON object in UTF-8.')
  })
  const result = v.safeParse(schema, body)
  if (result.success) return result.output
  throw new Problem('validation_failed', 'The request is malformed; correct what "errors" lists.', {
    errors: result.issues.slice(0, MAX_FAULTS).map((issue) => ({
      path: v.getDotPath(issue) ?? '',
      message: issue.message,
    })),
  })
}
