import type { Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type * as v from 'valibot'
import type { AppEnv } from '../app-env.ts'
import type { ProblemCode } from '../problem.ts'
import { paramsOf, queryOf } from '../query/parameters.ts'
import { requestJson } from '../request-json.ts'
import { type Description, describedBy, specOf } from './description.ts'

/**
 * One call of the API: how it is described, what its requests must look like and what it answers, in one
 * declaration. Left out, `status` is 200; without an `answer` it is 204.
 */
interface Declaration extends Omit<Description, 'answers' | 'headers' | 'bodyType' | 'otherBodies'> {
  status?: ContentfulStatusCode
  answer?: v.GenericSchema
  /** What the answer is, in a few words. */
  returns: string
}

type Output<Schema> = Schema extends v.GenericSchema ? v.InferOutput<Schema> : undefined

/** What a request brought, as the declaration's schemas give it. */
export interface Given<D extends Declaration> {
  query: Output<D['query']>
  params: Output<D['params']>
  body: Output<D['body']>
}

/** What the handler of a declaration returns, to be sent as JSON. */
export type Returned<D extends Declaration> = D['answer'] extends v.GenericSchema
  ? v.InferOutput<D['answer']>
  : unknown

/**
 * The handler of a declared call: validates by the declaration, in the order query, body, path, and hands on
 * what came out. The compiler holds `handle` to the schema of the answer.
 */
export function operation<const D extends Declaration>(
  declaration: D,
  handle: (c: Context<AppEnv>, given: Given<D>) => Promise<Returned<D>>,
) {
  const { query, params, body, answer, status = 200 } = declaration
  return describedBy(
    () => specOf(descriptionOf(declaration)),
    async (c: Context<AppEnv>) => {
      const given = {
        query: query && queryOf(c, query),
        body: body && (await requestJson(c, body)),
        params: params && paramsOf(c, params),
      }
      const returned = await handle(c, given as Given<D>)
      return answer ? c.json(returned ?? null, status) : c.body(null, 204)
    },
  )
}

function descriptionOf({ status = 200, answer, returns, problems = [], ...call }: Declaration): Description {
  const ofRequest: ProblemCode[] = [
    ...(call.query ? (['invalid_parameter'] as const) : []),
    ...(call.body ? (['invalid_json', 'validation_failed', 'payload_too_large'] as const) : []),
    ...(call.params ? (['not_found'] as const) : []),
  ]
  return {
    ...call,
    answers: { [answer ? status : 204]: { description: returns, ...(answer && { schema: answer }) } },
    problems: [...ofRequest, ...problems],
  }
}
