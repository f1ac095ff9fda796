import { request } from './tenant.ts'

interface Sending {
  query?: string
  headers?: Record<string, string>
}

/** Writes lines as a client of InfluxDB does. */
export function write(
  tenant: { key: string },
  body: BodyInit,
  { query = '?precision=ms', headers }: Sending = {},
) {
  return request(`/api/v2/write${query}`, {
    method: 'POST',
    headers: { authorization: `Token ${tenant.key}`, 'content-type': 'text/plain', ...headers },
    body,
  })
}
