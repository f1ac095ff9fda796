import { DEFAULT_RANGE, isRangeName, type RangeName } from './time-range.ts'

/** A page with all of its state: what a link says is everything the page needs. */
export type Route =
  | { page: 'devices' }
  | { page: 'device'; deviceId: string }
  | { page: 'metric'; deviceId: string; metricId: string; range: RangeName }
  | { page: 'not-found' }

/** The route of a location hash: `#/devices/D/metrics/M?range=7d`. */
export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?')
  const parts = path.split('/').filter(Boolean).map(decode)
  const [devices, deviceId, metrics, metricId, ...rest] = parts
  if (devices === undefined) return { page: 'devices' }
  if (devices !== 'devices' || rest.length > 0) return { page: 'not-found' }
  if (deviceId === undefined) return { page: 'devices' }
  if (metrics === undefined) return { page: 'device', deviceId }
  if (metrics !== 'metrics' || metricId === undefined) return { page: 'not-found' }
  const range = new URLSearchParams(query).get('range')
  return { page: 'metric', deviceId, metricId, range: isRangeName(range) ? range : DEFAULT_RANGE }
}

export const devicesHref = () => '#/devices'

export const deviceHref = (deviceId: string) => `#/devices/${encodeURIComponent(deviceId)}`

export const metricHref = (deviceId: string, metricId: string, range: RangeName = DEFAULT_RANGE) =>
  `${deviceHref(deviceId)}/metrics/${encodeURIComponent(metricId)}?range=${range}`

/** A hand-edited link may hold a broken escape: take it as it stands, the API will not find it. */
function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
