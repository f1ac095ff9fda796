import * as v from 'valibot'
import type { TimeSpan } from '../time-range.ts'
import { allPages } from './all-pages.ts'
import { ApiError, apiErrorOf } from './api-error.ts'
import { anomalySchema, deviceSchema, metricSchema, pageOf, windowSchema } from './schemas.ts'

/** Rows of a list on screen before "more"; whole histories are read by the largest page there is. */
const LIST_LIMIT = 50
const MAX_LIMIT = 1000

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

type Params = Record<string, string | number | undefined>

export type Api = ReturnType<typeof createApi>

/** The part of the public API that the dashboard reads, checked and typed. Rejects with ApiError. */
export function createApi(options: ApiOptions) {
  async function get<T extends v.GenericSchema>(path: string, params: Params, schema: T, read: ReadOptions) {
    const headers = { 'X-API-Key': options.key, Accept: 'application/json' }
    const request = new Request(urlOf(options.baseUrl, path, params), {
      headers,
      signal: read.signal ?? null,
    })
    const response = await options.fetch(request).catch((cause: unknown) => {
      if (read.signal?.aborted) throw cause
      throw new ApiError('unreachable', 'The API cannot be reached. Check the connection.')
    })
    if (!response.ok) {
      const error = await apiErrorOf(response)
      if (error.refusesKey) options.onKeyRefused(error)
      throw error
    }
    return parsed(schema, await response.json().catch(() => undefined))
  }

  const devices = (cursor?: string, read: ReadOptions = {}, limit = LIST_LIMIT) =>
    get('/v1/devices', { limit, cursor }, pageOf(deviceSchema), read)

  const metrics = (deviceId: string, cursor?: string, read: ReadOptions = {}, limit = LIST_LIMIT) =>
    get('/v1/metrics', { device_id: deviceId, limit, cursor }, pageOf(metricSchema), read)

  /** There is no call for a single metric: it is looked up among those of its device. */
  async function metric(deviceId: string, metricId: string, read: ReadOptions = {}) {
    let cursor: string | undefined
    do {
      const page = await metrics(deviceId, cursor, read, MAX_LIMIT)
      const found = page.data.find(({ id }) => id === metricId)
      if (found) return found
      cursor = page.next_cursor ?? undefined
    } while (cursor)
    throw new ApiError('not_found', 'There is no such metric on this device.', 404)
  }

  const windows = (metricId: string, span: TimeSpan, read: ReadOptions = {}) =>
    allPages((cursor) => {
      const path = `/v1/metrics/${encodeURIComponent(metricId)}/windows`
      return get(path, { ...isoSpan(span), limit: MAX_LIMIT, cursor }, pageOf(windowSchema), read)
    }, read.onProgress)

  const anomalies = (metricId: string, span: TimeSpan, read: ReadOptions = {}) =>
    allPages((cursor) => {
      const params = { metric_id: metricId, ...isoSpan(span), limit: MAX_LIMIT, cursor }
      return get('/v1/anomalies', params, pageOf(anomalySchema), read)
    }, read.onProgress)

  return { devices, metrics, metric, windows, anomalies }
}

function urlOf(baseUrl: string, path: string, params: Params): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined) query.set(name, String(value))
  }
  return `${baseUrl}${path}?${query}`
}

function parsed<T extends v.GenericSchema>(schema: T, body: unknown): v.InferOutput<T> {
  const result = v.safeParse(schema, body)
  if (result.success) return result.output
  throw new ApiError('unexpected_answer', 'The API answered in a form this page does not know.')
}

const isoSpan = ({ from, to }: TimeSpan) => ({
  from: new Date(from).toISOString(),
  to: new Date(to).toISOString(),
})
