/** A stored value may have 2 MB; the local runtime does not enforce it, so this does. */
export const MAX_VALUE_BYTES = 1_900_000

/** `bytes` in pieces that each fit a stored value, in order; at least one. */
export function splitBytes(bytes: Uint8Array): Uint8Array[] {
  if (bytes.length <= MAX_VALUE_BYTES) return [bytes]
  const pieces: Uint8Array[] = []
  for (let at = 0; at === 0 || at < bytes.length; at += MAX_VALUE_BYTES) {
    pieces.push(bytes.slice(at, at + MAX_VALUE_BYTES))
  }
  return pieces
}

export function joinBytes(pieces: ArrayBuffer[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.byteLength, 0))
  let at = 0
  for (const piece of pieces) {
    joined.set(new Uint8Array(piece), at)
    at += piece.byteLength
  }
  return joined
}
