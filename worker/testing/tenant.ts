import { env, exports } from 'cloudflare:workers'
import { type ApiDocument, Conformance } from './conformance.ts'

/** Holds every answer that any test gets against the API's own description. */
export const conformance = new Conformance(await (await fetchWorker('/v1/openapi.json')).json<ApiDocument>())

/** The Worker as a client meets it, static assets aside. */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const answer = await fetchWorker(path, init)
  const { method = 'GET', body } = init
  const faults = await conformance.faults({
    method,
    path: path.replace(/\?.*/, ''),
    sent: typeof body === 'string' ? body : undefined,
    answer,
  })
  if (faults.length === 0) return answer
  const text = await answer.text()
  throw new Error(`${method} ${path} is not as described: ${faults.join('; ')}: ${answer.status} ${text}`)
}

/** The same, for who wants the answer before its end. */
export function fetchWorker(path: string, init: RequestInit = {}): Promise<Response> {
  return exports.default.fetch(new Request(`http://edgepulse.test${path}`, init))
}

export function admin(method: string, path: string, body?: unknown): Promise<Response> {
  return request(`/admin${path}`, {
    method,
    headers: { authorization: `Bearer ${env.ADMIN_TOKEN}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
}

export interface TestTenant {
  id: string
  key: string
  keyId: string
  get(path: string): Promise<Response>
  send(method: string, path: string, body?: unknown): Promise<Response>
  ingest(body: unknown, init?: { headers?: Record<string, string>; raw?: BodyInit }): Promise<Response>
}

/** A tenant of its own, so that tests share a database and see only what is theirs. */
export async function createTenant(
  options: { scopes?: string[]; plan?: Record<string, unknown> } = {},
): Promise<TestTenant> {
  const created = await admin('POST', '/tenants', { name: `test-${crypto.randomUUID()}`, ...options.plan })
  if (created.status !== 201) throw new Error(`no tenant: ${created.status} ${await created.text()}`)
  const { id } = await created.json<{ id: string }>()
  return { id, ...(await createKey(id, options.scopes ?? ['ingest', 'read', 'manage'])) }
}

export async function createKey(tenantId: string, scopes: string[], more: Record<string, unknown> = {}) {
  const answer = await admin('POST', `/tenants/${tenantId}/keys`, { scopes, ...more })
  if (answer.status !== 201) throw new Error(`no key: ${answer.status} ${await answer.text()}`)
  const { id: keyId, key } = await answer.json<{ id: string; key: string }>()
  const call = (path: string, init: RequestInit & { headers?: Record<string, string> }) =>
    request(path, { ...init, headers: { 'x-api-key': key, ...init.headers } })
  return {
    key,
    keyId,
    get: (path: string) => call(path, {}),
    send: (method: string, path: string, body?: unknown) =>
      call(path, {
        method,
        headers: { 'content-type': 'application/json' },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      }),
    ingest: (body: unknown, init: { headers?: Record<string, string>; raw?: BodyInit } = {}) =>
      call('/v1/ingest', {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...init.headers },
        body: init.raw ?? JSON.stringify(body),
      }),
  }
}

/** A batch of one series in the `series` shape, a datapoint a second up to now. */
export function seriesBatch(batchId: string, datapoints = 10, device = 'pump-7') {
  const now = Date.now()
  const points = Array.from({ length: datapoints }, (_, i) => [now - (datapoints - i) * 1000, i])
  return { batch_id: batchId, series: [{ device, metric: 'temperature', unit: 'C', points }] }
}
