import { type Context, Hono } from 'hono'
import { etag } from 'hono/etag'
import * as v from 'valibot'
import type { AppEnv } from '../app-env.ts'
import { describedBy, specOf } from './description.ts'
import { openApiDocument } from './document.ts'
import { component } from './fields.ts'

const Document = component(
  'OpenApiDocument',
  v.objectWithRest({ openapi: v.string() }, v.unknown()),
  'An OpenAPI 3.1 document.',
)

/** `GET /v1/openapi.json`: how `app` describes itself, worked out when an isolate is first asked for it. */
export function openApiRoute(app: Hono<AppEnv>) {
  let text: string | undefined
  const getOpenApi = describedBy(
    () =>
      specOf({
        operationId: 'getOpenApi',
        tag: 'Service',
        summary: 'This document',
        description: 'The API as OpenAPI 3.1, made from the schemas that validate; `/v1/docs` shows it.',
        answers: {
          200: { description: 'The document.', schema: Document },
          304: { description: 'It is as the `If-None-Match` of the request has it.' },
        },
      }),
    async (c: Context<AppEnv>) => {
      text ??= JSON.stringify(await openApiDocument(app))
      return c.body(text, 200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-cache' })
    },
  )
  return new Hono<AppEnv>().get('/', etag(), getOpenApi)
}
