import { createHash } from 'node:crypto'

/**
 * A UUID (version 8, RFC 9562) made of what it names: doing the same work twice meets the row of the first
 * time. The parts must hold no NUL.
 */
export function derivedId(...parts: (string | number)[]): string {
  const hash = createHash('sha256').update(parts.join('\0')).digest()
  hash[6] = (hash[6]! & 0x0f) | 0x80
  hash[8] = (hash[8]! & 0x3f) | 0x80
  const hex = hash.toString('hex', 0, 16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
