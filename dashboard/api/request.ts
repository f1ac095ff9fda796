import * as v from 'valibot'
import { ApiError, apiErrorOf } from './api-error.ts'

export interface ApiOptions {
  baseUrl: string
  key: string
  fetch: (request: Request) => Promise<Response>
  /** Called, besides the rejection, when the API refuses the key itself. */
  onKeyRefused: (error: ApiError) => void
}

export interface ReadOptions {
  signal?: AbortSignal
  /** Rows read so far. */
  onProgress?: (count: number) => void
}

export type Params = Record<string, string | number | undefined>

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'

interface Call extends ReadOptions {
  params?: Params
  body?: unknown
}

export type Requests = ReturnType<typeof createRequests>

/** Calls of the API under a key, their answers checked. Both reject with ApiError. */
export function createRequests(options: ApiOptions) {
  async function answerTo(method: Method, path: string, { params = {}, body, signal }: Call) {
    const headers: Record<string, string> = { 'X-API-Key': options.key, Accept: 'application/json' }
    if (body !== undefined) headers['Content-Type'] = 'application/json'
    const request = new Request(urlOf(options.baseUrl, path, params), {
      ...{ method, headers, signal: signal ?? null },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const response = await options.fetch(request).catch((cause: unknown) => {
      if (signal?.aborted) throw cause
      throw new ApiError('unreachable', 'The API cannot be reached. Check the connection.')
    })
    if (response.ok) return response
    const error = await apiErrorOf(response)
    // A key that reads well and may not write is still good for everything else.
    if (error.status === 401 || (method === 'GET' && error.code === 'insufficient_scope')) {
      options.onKeyRefused(error)
    }
    throw error
  }

  return {
    get: async <T extends v.GenericSchema>(path: string, params: Params, schema: T, read: ReadOptions) =>
      parsed(schema, await jsonOf(await answerTo('GET', path, { ...read, params }))),
    /** A call whose answer is JSON. */
    send: async <T extends v.GenericSchema>(method: Method, path: string, schema: T, call: Call = {}) =>
      parsed(schema, await jsonOf(await answerTo(method, path, call))),
    remove: async (path: string): Promise<void> => {
      await answerTo('DELETE', path, {})
    },
  }
}

const jsonOf = (response: Response): Promise<unknown> => response.json().catch(() => undefined)

function urlOf(baseUrl: string, path: string, params: Params): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value !== '') query.set(name, String(value))
  }
  return `${baseUrl}${path}${query.size > 0 ? `?${query}` : ''}`
}

function parsed<T extends v.GenericSchema>(schema: T, body: unknown): v.InferOutput<T> {
  const result = v.safeParse(schema, body)
  if (result.success) return result.output
  throw new ApiError('unexpected_answer', 'The API answered in a form this page does not know.')
}
