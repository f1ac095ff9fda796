import fc from 'fast-check'
import { bodyOf, type Recipe, recipes } from '../worker/testing/fuzz/bodies.ts'
import { type Answer, FRAMINGS, type Framing, send } from './http-client.ts'

const PROTOBUF = 'application/x-protobuf'
const ID = '01234567-89ab-4def-8123-456789abcdef'

interface Place {
  method: string
  path: string
  /** How its errors look. */
  form: keyof typeof FORMS
  /** The content type it is usually sent. */
  type?: string
}

const place = (method: string, path: string, form: Place['form'] = 'problem', type?: string): Place => {
  return { method, path, form, ...(type && { type }) }
}
const times = (count: number, ...places: Place[]) => Array.from({ length: count }, () => places).flat()

/** Every kind of address. */
const PLACES = [
  ...times(12, place('POST', '/v1/ingest')),
  ...times(6, place('POST', '/api/v2/write?precision=ms', 'influx', 'text/plain')),
  ...times(4, place('POST', '/otlp/v1/metrics', 'otlp'), place('POST', '/otlp/v1/metrics', 'otlp', PROTOBUF)),
  ...['/v1/alert-rules', '/v1/webhooks', '/admin/tenants', `/admin/tenants/${ID}/keys`].map((path) =>
    place('POST', path),
  ),
  ...[`/v1/alert-rules/${ID}`, `/v1/webhooks/${ID}`, `/admin/tenants/${ID}`].map((path) =>
    place('PATCH', path),
  ),
  ...[
    ...['/v1/devices', '/v1/metrics', `/v1/metrics/${ID}/datapoints`, `/v1/metrics/${ID}/windows`],
    ...[
      '/v1/anomalies',
      '/v1/usage',
      '/v1/status',
      '/v1/alerts',
      '/v1/alert-rules',
      '/v1/webhooks/x/deliveries',
    ],
    ...[
      '/v1/batches/b-1',
      '/v1/batches/%00',
      '/v1/batches/%ff',
      '/v1/metrics/%2e%2e/windows',
      '/admin/tenants',
    ],
  ].map((path) => place('GET', path)),
  place('DELETE', `/v1/webhooks/${ID}`),
  place('PUT', '/v1/ingest'),
  place('POST', '/v1/nothing'),
]

const PARAMETERS = [
  ...['from', 'to', 'limit', 'cursor', 'metric_id', 'device_id', 'min_score', 'state'],
  ...['precision', 'device_tag', 'bucket', '__proto__', ''],
]
const PARAMETER_VALUES = [
  ...[
    '',
    '0',
    '-1',
    '1000',
    '1e400',
    'NaN',
    '2026-01-01',
    '2026-13-01T00:00:00Z',
    '99999999999999999999',
    'ms',
    'h',
  ],
  ...[
    ID,
    '\u0000',
    '\ud83d\ude00',
    "'; drop table datapoints; --",
    '[]',
    'x'.repeat(3000),
    'AAAA',
    'eyJ9',
    'open',
  ],
]
const CONTENT_TYPES = [
  ...[
    'application/json; charset=utf-8',
    'APPLICATION/JSON',
    'text/plain',
    'application/x-protobuf',
    '',
    ';',
    '*/*',
  ],
  ...['application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/json'.repeat(200)],
]
const ENCODINGS = ['gzip', 'GZIP', 'identity', 'gzip, gzip', 'br', 'deflate', '', 'x-gzip', 'gzip;q=0']
const ODD_HEADERS: Record<string, string>[] = [
  { expect: '100-continue' },
  { range: 'bytes=0-1' },
  { 'if-none-match': '*' },
  { 'x-http-method-override': 'DELETE' },
  { accept: 'text/html', 'accept-encoding': 'br;q=0' },
  { cookie: 'a=b; '.repeat(1000) },
]
/** Management bodies that are sound until they are edited. */
const SETTINGS = [
  '{"name":"high","threshold":1}',
  '{"url":"https://example.com/hook"}',
  '{"scopes":["ingest"],"name":null}',
  '{"threshold":1e400,"for_windows":0,"enabled":"yes"}',
  '{"state":"suspended","shards":99999}',
]

export interface FuzzRequest {
  place: Place
  query: [name: string, value: string][]
  key: string | undefined
  headers: Record<string, string | undefined>
  framing: Framing
  body: Recipe
}

const seldom = <T>(usual: T, odd: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ weight: 7, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: odd })

/** Requests of every kind; `key` is one that may do everything. */
export function fuzzRequests(now: number, key: string): fc.Arbitrary<FuzzRequest> {
  const settings = fc
    .tuple(fc.constantFrom(...SETTINGS), recipes(now))
    .map(([text, recipe]): Recipe => ({ ...recipe, content: { kind: 'text', text } }))
  return fc.record({
    place: fc.constantFrom(...PLACES),
    query: seldom<[string, string][]>(
      [],
      fc.array(fc.tuple(fc.constantFrom(...PARAMETERS), fc.constantFrom(...PARAMETER_VALUES)), {
        maxLength: 3,
      }),
    ),
    key: seldom<string | undefined>(
      key,
      fc.constantFrom(undefined, '', 'epk_', `${key}A`, 'é', 'x'.repeat(5000)),
    ),
    headers: fc
      .tuple(
        seldom<Record<string, string | undefined>>(
          {},
          fc.constantFrom(...CONTENT_TYPES).map((type) => ({ 'content-type': type })),
        ),
        seldom<Record<string, string | undefined>>(
          {},
          fc.constantFrom(...ENCODINGS).map((encoding) => ({ 'content-encoding': encoding })),
        ),
        seldom<Record<string, string | undefined>>({}, fc.constantFrom(...ODD_HEADERS)),
      )
      .map(([type, encoding, odd]) => ({ ...type, ...encoding, ...odd })),
    framing: seldom<Framing>('length', fc.constantFrom(...FRAMINGS)),
    body: fc.oneof({ weight: 6, arbitrary: recipes(now) }, { weight: 1, arbitrary: settings }),
  })
}

/** Sends a request and returns how it was answered. Throws when that is no answer the contract knows. */
export async function sendAndJudge(url: string, adminToken: string, request: FuzzRequest): Promise<string> {
  const { method, path, form, type = 'application/json' } = request.place
  const { bytes, gzip } = bodyOf(request.body)
  const query = request.query.map((pair) => pair.map(encodeURIComponent).join('=')).join('&')
  const usual = {
    'content-type': type,
    'content-encoding': gzip ? 'gzip' : undefined,
  }
  const auth = path.startsWith('/admin')
    ? { authorization: `Bearer ${adminToken}` }
    : keyHeader(request.key, form)
  const hasBody = method !== 'GET' && method !== 'DELETE'
  const answer = await send(`${url}${path}${path.includes('?') ? '&' : '?'}${query}`, {
    method,
    headers: definedOnly({ ...auth, ...(hasBody && usual), ...request.headers }),
    body: hasBody ? piecesOf(bytes) : [],
    framing: hasBody ? request.framing : 'length',
  })
  // A length that is none is answered by the HTTP server itself; who has gone hears nothing.
  if (request.framing === 'odd length' && hasBody) return `${answer?.status} by the server`
  // To a body that ends too early with its connection: the sender's retry is welcome.
  if (answer?.status === 503 && request.framing === 'cut off') return '503 cut off'
  if (answer === undefined && ['reset', 'cut off', 'too short'].includes(request.framing)) return 'gone'
  if (answer === undefined) throw new Error('The connection ended without an answer.')
  if (answer.status >= 500) throw new Error(`${answer.status}: ${answer.text}`)
  if (answer.status >= 400 && !FORMS[form](answer)) {
    throw new Error(`no error as the contract has it: ${answer.status} ${JSON.stringify(answer)}`)
  }
  return `${answer.status}`
}

function keyHeader(key: string | undefined, form: Place['form']): Record<string, string | undefined> {
  const latin = key && Buffer.from(key).toString('latin1')
  return form === 'influx' ? { authorization: latin && `Token ${latin}` } : { 'x-api-key': latin }
}

const definedOnly = (headers: Record<string, string | undefined>) =>
  Object.fromEntries(
    Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )

function piecesOf(bytes: Uint8Array): Uint8Array[] {
  const third = Math.ceil(bytes.length / 3) || 1
  return [0, 1, 2].map((i) => bytes.subarray(i * third, (i + 1) * third)).filter(({ length }) => length > 0)
}

const CODES: Record<number, string[]> = {
  400: ['invalid_json', 'validation_failed', 'invalid_parameter', 'no_datapoint_accepted'],
  401: ['missing_api_key', 'invalid_api_key'],
  403: ['insufficient_scope'],
  404: ['not_found'],
  405: ['method_not_allowed'],
  409: ['batch_conflict', 'name_taken'],
  413: ['payload_too_large'],
  415: ['unsupported_media_type', 'unsupported_encoding'],
}

const isText = (value: unknown) => typeof value === 'string' && value !== ''
const typeOf = ({ headers }: Answer) => headers['content-type']

/** Whether an answer is an error as section 2 of the contract has it, or as clients of the protocol read it. */
const FORMS = {
  problem: (answer: Answer): boolean => {
    if (typeOf(answer) !== 'application/problem+json') return false
    const { type, title, status, detail, code, errors } = JSON.parse(answer.text)
    const isTold = [type, title, detail].every(isText) && status === answer.status
    return isTold && CODES[status]?.includes(code) === true && areFaults(errors)
  },
  influx: (answer: Answer): boolean => {
    const { code, message } = JSON.parse(answer.text)
    return typeOf(answer) === 'application/json' && isText(code) && isText(message)
  },
  otlp: (answer: Answer): boolean => {
    if (typeOf(answer) === PROTOBUF) return answer.text !== ''
    const { code, message } = JSON.parse(answer.text)
    return typeOf(answer) === 'application/json' && typeof code === 'number' && isText(message)
  },
}

function areFaults(errors: unknown): boolean {
  if (errors === undefined) return true
  if (!Array.isArray(errors) || errors.length > 20) return false
  return errors.every(({ path, message }) => typeof path === 'string' && typeof message === 'string')
}
