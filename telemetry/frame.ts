const HEADER_BYTES = 8

/**
 * A stored or sent record: a JSON header and raw bytes behind it. Little-endian: u32 length of the header,
 * u32 length of the bytes, the header, the bytes (from a multiple of 8, so that doubles can be viewed in place).
 */
export function encodeFrame(header: unknown, ...body: ArrayBufferView[]): Uint8Array<ArrayBuffer> {
  const json = new TextEncoder().encode(JSON.stringify(header))
  const bodyBytes = body.reduce((sum, view) => sum + view.byteLength, 0)
  const start = align(HEADER_BYTES + json.length)
  const frame = new Uint8Array(start + bodyBytes)
  const view = new DataView(frame.buffer)
  view.setUint32(0, json.length, true)
  view.setUint32(4, bodyBytes, true)
  frame.set(json, HEADER_BYTES)
  let at = start
  for (const part of body) {
    frame.set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), at)
    at += part.byteLength
  }
  return frame
}

/** The header, unchecked, and the bytes at offset 0 of a buffer of their own. Throws a RangeError when cut short. */
export function decodeFrame(frame: Uint8Array): { header: unknown; body: ArrayBuffer } {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  if (frame.length < HEADER_BYTES) throw new RangeError('Cannot read a frame: it is cut short.')
  const jsonBytes = view.getUint32(0, true)
  const start = align(HEADER_BYTES + jsonBytes)
  if (frame.length !== start + view.getUint32(4, true))
    throw new RangeError('Cannot read a frame: wrong length.')
  const header: unknown = JSON.parse(
    new TextDecoder().decode(frame.subarray(HEADER_BYTES, HEADER_BYTES + jsonBytes)),
  )
  return { header, body: new Uint8Array(frame.subarray(start)).buffer }
}

const align = (bytes: number) => Math.ceil(bytes / 8) * 8
