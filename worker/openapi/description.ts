import {
  type ContentWithResolver,
  type DescribeRouteOptions,
  type ResponsesWithResolver,
  uniqueSymbol,
} from 'hono-openapi'
import type * as v from 'valibot'
import type { ProblemCode } from '../problem.ts'
import { answerSchema, type ParameterSchema, parametersOf, requestSchema } from './json-schema.ts'
import { type ProblemFormat, problemResponses } from './problem-responses.ts'

/** What a status of success carries. */
export interface Answer {
  description: string
  schema?: v.GenericSchema
  contentType?: string
  /** The same in other content types. */
  others?: Record<string, v.GenericSchema>
  headers?: Record<string, { description: string; required?: boolean }>
}

/** A call as the API's description shows it. The scopes it needs are the guards' to tell. */
export interface Description {
  operationId: string
  tag: 'Ingest' | 'Telemetry' | 'Detection' | 'Alerts' | 'Webhooks' | 'Account' | 'Administration' | 'Service'
  summary: string
  description?: string
  query?: ParameterSchema
  params?: ParameterSchema
  headers?: ParameterSchema
  body?: v.GenericSchema
  bodyType?: string
  /** The same in other content types. */
  otherBodies?: Record<string, v.GenericSchema>
  answers: Record<number, Answer>
  problems?: readonly ProblemCode[]
  /** Of a protocol whose errors have a form of their own. */
  problemFormat?: ProblemFormat
  security?: Record<string, string[]>[]
}

/**
 * Attaches to a handler or guard what it adds to the description of its route. It stays the same function, and
 * its requests pay nothing: `spec` runs when the description is asked for.
 */
export const describedBy = <Handler extends object>(spec: () => DescribeRouteOptions, handler: Handler) =>
  Object.assign(handler, {
    [uniqueSymbol]: {
      get spec() {
        return spec()
      },
    },
  })

/** The description in OpenAPI's words. */
export function specOf(call: Description): DescribeRouteOptions {
  const { operationId, tag, summary, description, security, problems = [] } = call
  return {
    operationId,
    tags: [tag],
    summary,
    ...(description && { description }),
    ...(security && { security }),
    parameters: [
      ...(call.params ? parametersOf('path', call.params) : []),
      ...(call.query ? parametersOf('query', call.query) : []),
      ...(call.headers ? parametersOf('header', call.headers) : []),
    ],
    ...(call.body && {
      requestBody: {
        required: true,
        content: contentOf(
          { [call.bodyType ?? 'application/json']: call.body, ...call.otherBodies },
          requestSchema,
        ),
      },
    }),
    responses: { ...answerResponses(call.answers), ...problemResponses(problems, call.problemFormat) },
  }
}

/** By content type. */
export const contentOf = (
  schemas: Record<string, v.GenericSchema>,
  describe: typeof answerSchema,
): ContentWithResolver =>
  Object.fromEntries(Object.entries(schemas).map(([type, schema]) => [type, { schema: describe(schema) }]))

function answerResponses(answers: Record<number, Answer>): ResponsesWithResolver {
  const responses = Object.entries(answers).map(([status, answer]) => {
    const { description, schema, contentType, others, headers } = answer
    const schemas = schema && { [contentType ?? 'application/json']: schema, ...others }
    const content = schemas && contentOf(schemas, answerSchema)
    const described = Object.entries(headers ?? {}).map(([name, header]) => [
      name,
      { ...header, schema: { type: 'string' } },
    ])
    return [
      status,
      {
        description,
        ...(content && { content }),
        ...(headers && { headers: Object.fromEntries(described) }),
      },
    ]
  })
  return Object.fromEntries(responses)
}
