import { hash } from 'node:crypto'

/**
 * Ids of devices and metrics are derived from their names, so that writers need no look-up and a rebuilt
 * database carries the same ids. Names hold no control characters, hence a NUL separates them for certain.
 */
export function deviceIdOf(tenantId: string, device: string): string {
  return uuidOf(`device\0${tenantId}\0${device}`)
}

export function metricIdOf(tenantId: string, device: string, metric: string): string {
  return uuidOf(`metric\0${tenantId}\0${device}\0${metric}`)
}

/** A UUID of version 8 (RFC 9562, "custom") from the first 16 bytes of a SHA-256. */
function uuidOf(text: string): string {
  const hex = hash('sha256', text)
  const variant = '89ab'[Number.parseInt(hex.charAt(16), 16) & 3]
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
