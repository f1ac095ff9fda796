import { expect, test } from 'vitest'
import { type ApiDocument, Conformance } from './conformance.ts'

const ref = (name: string) => ({ schema: { $ref: `#/components/schemas/${name}` } })
const document: ApiDocument = {
  paths: {
    '/things/{id}': {
      get: {
        operationId: 'getThing',
        parameters: [],
        responses: {
          200: { headers: { 'X-Tag': { required: true } }, content: { 'application/json': ref('Thing') } },
          404: {
            content: {
              'application/problem+json': {
                schema: {
                  allOf: [
                    { $ref: '#/components/schemas/Problem' },
                    { properties: { code: { const: 'not_found' } } },
                  ],
                },
              },
            },
          },
        },
      },
      put: {
        operationId: 'putThing',
        parameters: [],
        requestBody: { content: { 'application/json': ref('Thing') } },
        responses: { 204: {} },
      },
    },
  },
  components: {
    schemas: {
      Thing: {
        type: 'object',
        properties: {
          id: { type: 'string', format: 'uuid' },
          part: { type: 'object', properties: { size: { type: ['number', 'null'] } } },
          point: {
            type: 'array',
            prefixItems: [{ type: 'string', format: 'date-time' }, { type: 'number' }],
          },
        },
        required: ['id'],
        examples: [{ id: 'no uuid' }],
      },
      Problem: { type: 'object', properties: { code: { type: 'string' } }, required: ['code'] },
    },
  },
}

const id = 'd0c1b2a3-9485-4766-8857-a9b8c7d6e5f4'
const thing = (more = {}) => Response.json({ id, ...more }, { headers: { 'X-Tag': 'any' } })
const problem = (body: object, status = 404) =>
  new Response(JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/problem+json; charset=utf-8' },
  })

const faultsOf = (
  method: string,
  answer: Response,
  { path = '/things/7', sent = undefined as string | undefined } = {},
) => new Conformance(document).faults({ method, path, sent, answer })

test.each([
  ['all that is named', 'GET', thing({ part: { size: null }, point: ['2026-01-01T00:00:00.000Z', 1] })],
  ['a problem with its code', 'GET', problem({ code: 'not_found' })],
  ['the head of an answer', 'HEAD', new Response(null, { headers: { 'X-Tag': 'any' } })],
  ['nothing, where nothing is described', 'PUT', new Response(null, { status: 204 })],
  ['a problem to a method that is not described', 'POST', problem({ code: 'method_not_allowed' }, 405)],
])('%s is as described', async (_, method, answer) => {
  expect(await faultsOf(method, answer)).toEqual([])
})

test.each([
  ['another status', 'GET', new Response('', { status: 418 }), 'status 418 is not described'],
  [
    'another type',
    'GET',
    new Response('{}', { headers: { 'X-Tag': 'any' } }),
    'content type text/plain is not described',
  ],
  ['no header', 'GET', Response.json({ id }), 'header X-Tag is missing'],
  ['a property more', 'GET', thing({ secret: 1 }), 'Property "secret"'],
  ['a property more further in', 'GET', thing({ part: { secret: 1 } }), 'Property "secret"'],
  ['a property less', 'GET', Response.json({}, { headers: { 'X-Tag': 'any' } }), 'required property "id"'],
  ['a value of another form', 'GET', thing({ id: '7' }), 'format "uuid"'],
  ['a tuple too long', 'GET', thing({ point: ['2026-01-01T00:00:00Z', 1, 2] }), '#/point/2'],
  ['another code', 'GET', problem({ code: 'unavailable' }), '#/code'],
  ['a problem with a property more', 'GET', problem({ code: 'not_found', stack: 'at' }), 'Property "stack"'],
  [
    'no problem to what is not described',
    'POST',
    Response.json({}, { status: 405 }),
    'content type application/json',
  ],
])('%s is a fault', async (_, method, answer, fault) => {
  expect((await faultsOf(method, answer)).join('\n')).toContain(fault)
})

test('what is served must be allowed, though it may hold more than is named', async () => {
  const served = () => new Response(null, { status: 204 })
  expect(await faultsOf('PUT', served(), { sent: JSON.stringify({ id, more: 1 }) })).toEqual([])
  expect((await faultsOf('PUT', served(), { sent: '{"id":7}' })).join()).toContain('served, but sent #/id')
})

test('it counts the answers that it has seen', async () => {
  const conformance = new Conformance(document)
  await conformance.faults({ method: 'GET', path: '/things/7', sent: undefined, answer: thing() })
  await conformance.faults({
    method: 'GET',
    path: '/nothing',
    sent: undefined,
    answer: problem({ code: 'x' }),
  })
  expect([...conformance.seen]).toEqual(['getThing 200'])
})
