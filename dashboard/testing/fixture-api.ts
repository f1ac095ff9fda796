import { anomaliesOf, METRICS_EACH, metricsOf, windowsOf } from './fixture-data.ts'

export const FIXTURE_KEY = 'epk_fixture'
/** A key of a tenant that has sent nothing. */
export const EMPTY_KEY = 'epk_empty'

const DAY_MS = 86_400_000
/** As many as a page must cope with. */
const DEVICE_COUNT = 10_000

type Handler = (url: URL) => Response

/** The read calls of the public API over made-up data, in the API's exact shapes. Times end at `now`. */
export function createFixtureApi(now: number) {
  const revoked = new Set<string>()
  const devices = Array.from({ length: DEVICE_COUNT }, (_, index) => ({
    id: `device-${index + 1}`,
    external_id: index === 0 ? HOSTILE_NAME : `pump-${index + 1}`,
    created_at: iso(now - 40 * DAY_MS),
    last_seen_at: iso(now - index * 60_000),
    metric_count: METRICS_EACH,
    cadence_seconds: index === 0 ? null : 60,
    silent_since: index < 60 ? null : iso(now - index * 60_000),
  }))

  const metricsOfDevice = (deviceId: string | undefined) => {
    const device = devices.find(({ id }) => id === deviceId)
    return device ? metricsOf(device.id, now, device.external_id) : []
  }

  const handlers: Record<string, Handler> = {
    '/v1/status': () => Response.json(statusAt(now, devices.length * METRICS_EACH)),
    '/v1/usage': () => Response.json({ data: [], next_cursor: null, total: NO_USAGE }),
    '/v1/alerts': (url) => list(url, []),
    '/v1/devices': (url) => {
      const search = (url.searchParams.get('search') ?? '').toLowerCase()
      const all = url.searchParams.get('silent') !== 'true'
      const isSought = ({ external_id, silent_since }: (typeof devices)[number]) =>
        external_id.toLowerCase().includes(search) && (all || silent_since !== null)
      return list(url, devices.filter(isSought))
    },
    '/v1/metrics': (url) => {
      const ids = url.searchParams.get('id')?.split(',')
      if (!ids) return list(url, metricsOfDevice(url.searchParams.get('device_id') ?? undefined))
      const found = ids.flatMap((id) =>
        metricsOfDevice(id.split('.')[0]).filter((metric) => metric.id === id),
      )
      return list(url, found)
    },
    '/v1/anomalies': (url) =>
      history(url, anomaliesOf(url.searchParams.get('metric_id') ?? '', now), 'window_end'),
    '/v1/anomalies/top': (url) => list(url, []),
  }

  const emptyHandlers: Record<string, Handler> = {
    '/v1/status': () => Response.json(statusAt(now, 0)),
    '/v1/usage': handlers['/v1/usage']!,
  }

  function answer(request: Request): Response {
    const url = new URL(request.url)
    const key = request.headers.get('X-API-Key')
    if (key === null) return problem(401, 'missing_api_key', 'An API key is needed.')
    if (revoked.has(key) || ![FIXTURE_KEY, EMPTY_KEY].includes(key)) {
      return problem(401, 'invalid_api_key', 'The API key is not valid.')
    }
    if (key === EMPTY_KEY) return emptyHandlers[url.pathname]?.(url) ?? list(url, [])
    const metricId = /^\/v1\/metrics\/([^/]+)\/windows$/.exec(url.pathname)?.[1]
    if (metricId) return history(url, windowsOf(decodeURIComponent(metricId), now))
    return handlers[url.pathname]?.(url) ?? problem(404, 'not_found', 'There is nothing here.')
  }

  return { answer, revoke: (key: string) => revoked.add(key) }
}

const NO_USAGE = { datapoints: 0, batches: 0, bytes: 0, duplicates: 0, rejected: 0, windows_scored: 0 }

const statusAt = (now: number, series_used: number) => ({
  ...{ last_batch_at: iso(now - 4_000), batches_pending: 0, oldest_pending_seconds: null, batches_failed: 0 },
  ...{
    open_windows: 0,
    last_window_end: null,
    last_scored_window_end: iso(now),
    series_limit: 100_000,
    series_used,
  },
  rate: { datapoints_per_second: 12, batches_per_second: 1, limit: null },
  warnings: [],
})

/** A name that would run a script if it ever were taken for markup. */
export const HOSTILE_NAME = '<img src=x onerror="document.title=\'taken\'">'

interface Row {
  window_start: string
  window_end: string
}

/** Rows of the time asked for, which is on the field that the list is ordered by. */
function history(url: URL, rows: Row[], by: keyof Row = 'window_start'): Response {
  const from = Date.parse(url.searchParams.get('from') ?? '')
  const to = Date.parse(url.searchParams.get('to') ?? '')
  if (!(to - from <= 92 * DAY_MS)) return problem(400, 'invalid_parameter', 'At most 92 days at once.')
  const within = (row: Row) => Date.parse(row[by]) >= from && Date.parse(row[by]) < to
  return list(url, rows.filter(within))
}

/** A page of rows; the cursor is the offset of the next one. */
function list(url: URL, rows: unknown[]): Response {
  const start = Number(url.searchParams.get('cursor') ?? 0)
  const end = start + Number(url.searchParams.get('limit') ?? 100)
  return Response.json({ data: rows.slice(start, end), next_cursor: end < rows.length ? String(end) : null })
}

const problem = (status: number, code: string, detail: string) =>
  Response.json(
    { type: 'about:blank', title: detail, status, detail, code },
    { status, headers: { 'Content-Type': 'application/problem+json' } },
  )

const iso = (time: number) => new Date(time).toISOString()
