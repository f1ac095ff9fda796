import { createHash } from 'node:crypto'

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
  const hash = createHash('sha256').update(text).digest()
  hash[6] = (hash[6]! & 0x0f) | 0x80
  hash[8] = (hash[8]! & 0x3f) | 0x80
  const hex = hash.toString('hex', 0, 16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
