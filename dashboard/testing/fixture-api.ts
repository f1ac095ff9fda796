import { anomaliesOf, metricsOf, windowsOf } from './fixture-data.ts'

export const FIXTURE_KEY = 'epk_fixture'
/** A key of a tenant that has sent nothing. */
export const EMPTY_KEY = 'epk_empty'

const DAY_MS = 86_400_000
const DEVICE_COUNT = 60

type Handler = (url: URL) => Response

/** The read calls of the public API over made-up data, in the API's exact shapes. Times end at `now`. */
export function createFixtureApi(now: number) {
  const revoked = new Set<string>()
  const devices = Array.from({ length: DEVICE_COUNT }, (_, index) => ({
    id: `device-${index + 1}`,
    external_id: index === 0 ? HOSTILE_NAME : `pump-${index + 1}`,
    created_at: iso(now - 40 * DAY_MS),
    last_seen_at: iso(now - index * 60_000),
    metric_count: metricsOf(`device-${index + 1}`, now).length,
  }))

  const handlers: Record<string, Handler> = {
    '/v1/devices': (url) => list(url, devices),
    '/v1/metrics': (url) => {
      const device = devices.find(({ id }) => id === url.searchParams.get('device_id'))
      return list(url, device ? metricsOf(device.id, now, device.external_id) : [])
    },
    '/v1/anomalies': (url) => history(url, anomaliesOf(url.searchParams.get('metric_id') ?? '', now)),
  }

  function answer(request: Request): Response {
    const url = new URL(request.url)
    const key = request.headers.get('X-API-Key')
    if (key === null) return problem(401, 'missing_api_key', 'An API key is needed.')
    if (revoked.has(key) || ![FIXTURE_KEY, EMPTY_KEY].includes(key)) {
      return problem(401, 'invalid_api_key', 'The API key is not valid.')
    }
    if (key === EMPTY_KEY) return list(url, [])
    const metricId = /^\/v1\/metrics\/([^/]+)\/windows$/.exec(url.pathname)?.[1]
    if (metricId) return history(url, windowsOf(decodeURIComponent(metricId), now))
    return handlers[url.pathname]?.(url) ?? problem(404, 'not_found', 'There is nothing here.')
  }

  return { answer, revoke: (key: string) => revoked.add(key) }
}

/** A name that would run a script if it ever were taken for markup. */
export const HOSTILE_NAME = '<img src=x onerror="document.title=\'taken\'">'

function history(url: URL, rows: { window_start: string }[]): Response {
  const from = Date.parse(url.searchParams.get('from') ?? '')
  const to = Date.parse(url.searchParams.get('to') ?? '')
  if (!(to - from <= 92 * DAY_MS)) return problem(400, 'invalid_parameter', 'At most 92 days at once.')
  const within = ({ window_start }: { window_start: string }) =>
    Date.parse(window_start) >= from && Date.parse(window_start) < to
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
