import type { TimeSpan } from '../time-range.ts'
import { alertingApi } from './alerting-api.ts'
import { allPages } from './all-pages.ts'
import { ApiError } from './api-error.ts'
import { type ApiOptions, createRequests, type ReadOptions, type Requests } from './request.ts'
import {
  anomalySchema,
  batchSchema,
  deviceSchema,
  metricSchema,
  type Page,
  pageOf,
  statusSchema,
  topAnomalySchema,
  usageSchema,
  windowSchema,
} from './schemas.ts'

/** Rows of a list on screen before "more"; whole histories are read by the largest page there is. */
export const LIST_LIMIT = 50
export const MAX_LIMIT = 1000
/** As many ids as the API takes at once. */
const MAX_IDS = 100

export interface DeviceFilter {
  search?: string
  /** Only those that have sent nothing for longer than is usual for them. */
  silent?: boolean
}

export type Api = ReturnType<typeof createApi>

/** The part of the public API that the dashboard uses, checked and typed. Rejects with ApiError. */
export function createApi(options: ApiOptions) {
  const requests = createRequests(options)
  return { ...telemetryApi(requests), ...accountApi(requests), ...alertingApi(requests) }
}

function telemetryApi({ get }: Requests) {
  const devices = (
    filter: DeviceFilter = {},
    cursor?: string,
    read: ReadOptions = {},
    limit = LIST_LIMIT,
  ) => {
    const params = { search: filter.search, silent: filter.silent ? 'true' : undefined, limit, cursor }
    return get('/v1/devices', params, pageOf(deviceSchema), read)
  }

  const deviceMetrics = (deviceId: string, search: string, cursor?: string, read: ReadOptions = {}) => {
    const params = { device_id: deviceId, search, limit: LIST_LIMIT, cursor }
    return get('/v1/metrics', params, pageOf(metricSchema), read)
  }

  const findMetrics = (search: string, limit: number, read: ReadOptions = {}) =>
    get('/v1/metrics', { search, limit }, pageOf(metricSchema), read)

  const metricsById = (ids: string[], read: ReadOptions = {}) =>
    inChunks(ids, (id) => get('/v1/metrics', { id, limit: MAX_IDS }, pageOf(metricSchema), read))

  const devicesById = (ids: string[], read: ReadOptions = {}) =>
    inChunks(ids, (id) => get('/v1/devices', { id, limit: MAX_IDS }, pageOf(deviceSchema), read))

  async function metric(metricId: string, read: ReadOptions = {}) {
    const [found] = await metricsById([metricId], read)
    if (found) return found
    throw new ApiError('not_found', 'There is no such metric, or none any more.', 404)
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

  const topAnomalies = async (span: TimeSpan, limit: number, read: ReadOptions = {}) => {
    const page = await get('/v1/anomalies/top', { ...isoSpan(span), limit }, pageOf(topAnomalySchema), read)
    return page.data
  }

  return {
    ...{ devices, devicesById, deviceMetrics, findMetrics, metricsById, metric },
    ...{ windows, anomalies, topAnomalies },
  }
}

/** Rows with the ids, of which the API takes some at once. */
async function inChunks<Row>(ids: string[], read: (ids: string) => Promise<Page<Row>>): Promise<Row[]> {
  const chunks = Array.from({ length: Math.ceil(ids.length / MAX_IDS) }, (_, index) =>
    ids.slice(index * MAX_IDS, (index + 1) * MAX_IDS),
  )
  const pages = await Promise.all(chunks.map((chunk) => read(chunk.join(','))))
  return pages.flatMap(({ data }) => data)
}

function accountApi({ get }: Requests) {
  return {
    status: (read: ReadOptions = {}) => get('/v1/status', {}, statusSchema, read),
    /** Days as YYYY-MM-DD, both inclusive. */
    usage: (from: string, to: string, read: ReadOptions = {}) =>
      get('/v1/usage', { from, to }, usageSchema, read),
    batch: (id: string, read: ReadOptions = {}) =>
      get(`/v1/batches/${encodeURIComponent(id)}`, {}, batchSchema, read),
  }
}

export const isoSpan = ({ from, to }: TimeSpan) => ({
  from: new Date(from).toISOString(),
  to: new Date(to).toISOString(),
})
