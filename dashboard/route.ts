import {
  DEFAULT_PERIOD,
  isMoving,
  isRangeName,
  type Period,
  parseSpan,
  spanText,
  type TimeSpan,
} from './time-range.ts'

export interface MetricRoute {
  page: 'metric'
  deviceId: string
  metricId: string
  period: Period
  /** What of the period the charts show; undefined: all of it. */
  zoom: TimeSpan | undefined
  /** Whether the table of windows is open. */
  table: boolean
}

export interface AlertsRoute {
  page: 'alerts'
  period: Period
  /** Only alerts that are still open. */
  open: boolean
}

/** A page with all of its state: what a link says is everything the page needs. */
export type Route =
  | { page: 'overview' | 'webhooks' | 'not-found' }
  | { page: 'devices'; search: string }
  | { page: 'device'; deviceId: string; search: string }
  | MetricRoute
  | AlertsRoute
  /** Without an id a new rule, for `metricId` or all metrics. */
  | { page: 'rule'; ruleId: string | undefined; metricId: string | undefined }
  | { page: 'webhook'; webhookId: string }
  | { page: 'usage'; days: number }
  | { page: 'batches'; batchId: string }

export const USAGE_DAYS = [7, 30, 90]
const DEFAULT_USAGE_DAYS = 30
export const DEFAULT_ALERTS_PERIOD: Period = '30d'

/** The route of a location hash, `#/devices/D/metrics/M?range=7d` for one. */
export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?')
  const [area = '', ...parts] = path.split('/').filter(Boolean).map(decode)
  const route = Object.hasOwn(AREAS, area) && AREAS[area]?.(parts, new URLSearchParams(query))
  return route || { page: 'not-found' }
}

type Area = (parts: string[], query: URLSearchParams) => Route | undefined

const AREAS: Record<string, Area> = {
  '': () => ({ page: 'overview' }),
  devices: devicesRoute,
  alerts: alertsRoute,
  webhooks: ([webhookId, ...rest]) => {
    if (rest.length > 0) return undefined
    return webhookId === undefined ? { page: 'webhooks' } : { page: 'webhook', webhookId }
  },
  usage: (parts, query) => {
    const days = USAGE_DAYS.find((each) => String(each) === query.get('days')) ?? DEFAULT_USAGE_DAYS
    return parts.length > 0 ? undefined : { page: 'usage', days }
  },
  batches: (parts, query) =>
    parts.length > 0 ? undefined : { page: 'batches', batchId: query.get('id') ?? '' },
}

function devicesRoute([deviceId, metrics, metricId, ...rest]: string[], query: URLSearchParams) {
  const search = query.get('search') ?? ''
  if (deviceId === undefined) return { page: 'devices' as const, search }
  if (metrics === undefined) return { page: 'device' as const, deviceId, search }
  if (metrics !== 'metrics' || metricId === undefined || rest.length > 0) return undefined
  return {
    page: 'metric' as const,
    ...{ deviceId, metricId, period: periodIn(query, DEFAULT_PERIOD) },
    zoom: parseSpan(query.get('zoom')),
    table: query.has('table'),
  }
}

function alertsRoute([rules, ruleId, ...rest]: string[], query: URLSearchParams): Route | undefined {
  if (rules === undefined) {
    return { page: 'alerts', period: periodIn(query, DEFAULT_ALERTS_PERIOD), open: query.has('open') }
  }
  if (rules !== 'rules' || ruleId === undefined || rest.length > 0) return undefined
  if (ruleId !== 'new') return { page: 'rule', ruleId, metricId: undefined }
  return { page: 'rule', ruleId: undefined, metricId: query.get('metric') ?? undefined }
}

function periodIn(query: URLSearchParams, otherwise: Period): Period {
  const range = query.get('range')
  return isRangeName(range) ? range : (parseSpan(query.get('span')) ?? otherwise)
}

export const overviewHref = () => '#/'

export const devicesHref = (search = '') => href(['devices'], { search })

export const deviceHref = (deviceId: string, search = '') => href(['devices', deviceId], { search })

export const metricHref = (
  deviceId: string,
  metricId: string,
  shown: Partial<Pick<MetricRoute, 'period' | 'zoom' | 'table'>> = {},
) =>
  href(['devices', deviceId, 'metrics', metricId], {
    ...periodQuery(shown.period ?? DEFAULT_PERIOD),
    zoom: shown.zoom && spanText(shown.zoom),
    table: shown.table ? '1' : undefined,
  })

export const alertsHref = ({ period = DEFAULT_ALERTS_PERIOD, open = false }: Partial<AlertsRoute> = {}) =>
  href(['alerts'], {
    ...(period === DEFAULT_ALERTS_PERIOD ? {} : periodQuery(period)),
    open: open ? '1' : undefined,
  })

export const ruleHref = (ruleId: string) => href(['alerts', 'rules', ruleId], {})

export const newRuleHref = (metricId?: string) => href(['alerts', 'rules', 'new'], { metric: metricId })

export const webhooksHref = () => href(['webhooks'], {})

export const webhookHref = (webhookId: string) => href(['webhooks', webhookId], {})

export const usageHref = (days = DEFAULT_USAGE_DAYS) => href(['usage'], { days: String(days) })

export const batchesHref = (batchId = '') => href(['batches'], { id: batchId })

const periodQuery = (period: Period) => (isMoving(period) ? { range: period } : { span: spanText(period) })

/** Parts and values that are empty are left out. */
function href(parts: string[], query: Record<string, string | undefined>): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => Boolean(entry[1]))
  const text = new URLSearchParams(given).toString()
  return `#/${parts.map(encodeURIComponent).join('/')}${text && `?${text}`}`
}

/** A hand-edited link may hold a broken escape: take it as it stands, the API will not find it. */
function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
