import { Validator } from '@seriousme/openapi-schema-validator'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { default as addFormats } from 'ajv-formats'
import { beforeAll, describe, expect, it, test } from 'vitest'
import { app } from '../app.ts'

type Schema = Record<string, unknown>

interface Operation {
  operationId: string
  tags: string[]
  summary: string
  description?: string
  security?: Record<string, string[]>[]
  parameters: { name: string; in: string; description?: string; schema: Schema }[]
  requestBody?: { content: Record<string, { schema: Schema }> }
  responses: Record<string, { description: string; content?: Record<string, { schema: Schema }> }>
}

interface Document {
  openapi: string
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, Schema>; securitySchemes: object }
  tags: { name: string }[]
}

let text: string
let document: Document
let operations: [string, Operation][]

beforeAll(async () => {
  text = await (await app.request('/v1/openapi.json')).text()
  document = JSON.parse(text)
  operations = Object.entries(document.paths).flatMap(([path, calls]) =>
    Object.entries(calls).map(([method, call]): [string, Operation] => [
      `${method.toUpperCase()} ${path}`,
      call,
    ]),
  )
})

describe('the document', () => {
  it('is OpenAPI 3.1 in the eyes of a validator of others', async () => {
    const result = await new Validator().validate(JSON.parse(text))
    expect(result.errors).toBeUndefined()
    expect([result.valid, document.openapi]).toEqual([true, '3.1.0'])
  })

  it('has every route of the app, and nothing else', () => {
    const routes = app.routes
      .filter(({ method }) => method !== 'ALL')
      .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`)
    expect(operations.map(([route]) => route).sort()).toEqual([...new Set(routes)].sort())
  })

  it('names every call once, and says what it does', () => {
    const ids = operations.map(([, { operationId }]) => operationId)
    expect(new Set(ids).size).toBe(ids.length)
    const tags = document.tags.map(({ name }) => name)
    for (const [route, { summary, tags: ofCall, responses }] of operations) {
      expect(summary, route).toMatch(/^[A-Z].{8,}/)
      expect(tags, route).toContain(ofCall[0])
      expect(Object.keys(responses).filter((status) => status < '300').length, route).toBeGreaterThan(0)
    }
  })

  it('describes every parameter', () => {
    for (const [route, { parameters }] of operations) {
      for (const { name, description, schema } of parameters) {
        expect(description, `${route} ${name}`).toMatch(/\.$/)
        expect(schema, `${route} ${name}`).toHaveProperty('type')
      }
      const named = parameters.filter((each) => each.in === 'path').map(({ name }) => `{${name}}`)
      expect(named, route).toEqual(route.match(/\{\w+\}/g) ?? [])
    }
  })

  it('names the scopes of every call that takes a tenant’s key, and the key of every other', () => {
    for (const [route, { security = [], description, responses }] of operations) {
      const scopes = security.flatMap((scheme) => Object.values(scheme).flat())
      const open = /^\w+ (\/v1\/(health|docs|openapi\.json)|\/ping|\/health)$/.test(route)
      if (open) expect(security, route).toEqual([])
      else if (route.includes(' /admin/')) expect(security, route).toEqual([{ adminToken: [] }])
      else expect(description, route).toContain(`\`${scopes[0]}\``)
      expect('401' in responses, route).toBe(!open)
    }
  })

  it('says something of every value', () => {
    const bare = Object.entries(document.components.schemas).flatMap(([name, schema]) => bareIn(schema, name))
    expect(bare).toEqual([])
  })

  it('refers to what it names, and names what it refers to', () => {
    const references = new Set([...text.matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name))
    expect([...references].sort()).toEqual(Object.keys(document.components.schemas).sort())
  })

  it('gives examples that fit', () => {
    const ajv = new Ajv2020({ strict: false, allErrors: true })
    addFormats.default(ajv)
    ajv.addSchema(document, 'document')
    const examples = Object.entries(document.components.schemas).flatMap(([name, { examples }]) =>
      Array.isArray(examples) ? examples.map((example) => [name, example]) : [],
    )
    expect(examples.length).toBeGreaterThan(15)
    for (const [name, example] of examples) {
      const validate = ajv.compile({ $ref: `document#/components/schemas/${name}` })
      expect([name, validate(example), validate.errors]).toEqual([name, true, null])
    }
  })
})

/** The places of schemas that allow anything without meaning to. */
function bareIn(schema: unknown, place: string): string[] {
  if (typeof schema !== 'object' || schema === null) return []
  const { properties = {}, items, anyOf = [], prefixItems = [] } = schema as Record<string, object>
  const telling = ['type', '$ref', 'anyOf', 'allOf', 'enum', 'const'].some((keyword) => keyword in schema)
  return [
    ...(telling ? [] : [place]),
    ...Object.entries(properties).flatMap(([name, each]) => bareIn(each, `${place}.${name}`)),
    ...[...Object.values(anyOf), ...Object.values(prefixItems), items].flatMap((each) =>
      bareIn(each, `${place}[]`),
    ),
  ]
}

describe('GET /v1/openapi.json', () => {
  it('is not sent again to who has it', async () => {
    const first = await app.request('/v1/openapi.json')
    expect(first.headers.get('content-type')).toBe('application/json')
    const headers = { 'If-None-Match': first.headers.get('etag') ?? '' }
    const second = await app.request('/v1/openapi.json', { headers })
    expect([second.status, await second.text()]).toEqual([304, ''])
    expect((await app.request('/v1/openapi.json', { headers: { 'If-None-Match': '"other"' } })).status).toBe(
      200,
    )
  })
})

test('GET /v1/docs loads from its own origin alone', async () => {
  const answer = await app.request('/v1/docs')
  const policy = answer.headers.get('content-security-policy') ?? ''
  expect(policy).toContain("default-src 'none'; script-src 'self';")
  expect(policy).not.toMatch(/https?:|\*|unsafe-eval/)
  expect(await answer.text()).not.toMatch(/https?:\/\//)
})
