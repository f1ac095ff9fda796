/*
 * W3C Trace Context, level 1. Of a request only the trace-id goes on: 32 lower-case hexadecimal digits, not all 0.
 */

/** version-traceid-parentid-flags; a later version may have more behind it. */
const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$/
const ZEROS = /^0+$/
const SAMPLED = '01'

const TRACE_BYTES = 16
const SPAN_BYTES = 8

/** Fills an array with random bytes, as `crypto.getRandomValues` does. */
export type RandomBytes = (bytes: Uint8Array<ArrayBuffer>) => Uint8Array

/** The runtime's own source. */
export const cryptoRandom: RandomBytes = (bytes) => crypto.getRandomValues(bytes)

/** The trace-id of a `traceparent` header; undefined for one that is absent or malformed, which is to be ignored. */
export function traceIdOf(header: string | undefined): string | undefined {
  const [, version, traceId, parentId, more] = TRACEPARENT.exec(header ?? '') ?? []
  if (version === undefined || traceId === undefined || parentId === undefined) return undefined
  if (version === 'ff' || (version === '00' && more !== undefined)) return undefined
  return ZEROS.test(traceId) || ZEROS.test(parentId) ? undefined : traceId
}

export const newTraceId = (random: RandomBytes) => hexOf(random(new Uint8Array(TRACE_BYTES)))

/** The header of a call that we make, or answer, under a trace: with a span of its own. */
export const traceparentOf = (traceId: string, random: RandomBytes) =>
  `00-${traceId}-${hexOf(random(new Uint8Array(SPAN_BYTES)))}-${SAMPLED}`

const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

/** In Postgres a trace-id is a uuid: half the bytes of its digits. */
export const traceIdFromUuid = (uuid: string) => uuid.replaceAll('-', '')
