const FORMAT = 2
const MAX_LEVELS = 48
const MAX_VALUES = 4096

/*
 * Little-endian: u32 format, u32 number of levels, a u32 length for each level, zeros up to a multiple of 8, then
 * the values of each level, ascending, as f64.
 */

/** `levels[h]` are the values that stand for 2^h each, ascending. */
export function encodeLevels(levels: Float64Array[]): Uint8Array<ArrayBuffer> {
  const start = headerBytes(levels.length)
  const total = levels.reduce((sum, values) => sum + values.length, 0)
  const bytes = new Uint8Array(start + total * 8)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, FORMAT, true)
  view.setUint32(4, levels.length, true)
  let at = start
  levels.forEach((values, h) => {
    view.setUint32(8 + h * 4, values.length, true)
    for (const value of values) {
      view.setFloat64(at, value, true)
      at += 8
    }
  })
  return bytes
}

/** Throws a RangeError on anything that `encodeLevels` cannot have written. */
export function decodeLevels(bytes: Uint8Array): Float64Array<ArrayBuffer>[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const lengths = readLengths(view)
  let at = headerBytes(lengths.length)
  return lengths.map((length) => {
    const values = new Float64Array(length)
    for (let i = 0; i < length; i += 1, at += 8) {
      const value = view.getFloat64(at, true)
      if (!Number.isFinite(value)) throw unreadable('it holds a value that is not finite')
      if (i > 0 && value < values[i - 1]!) throw unreadable('its values are out of order')
      values[i] = value
    }
    return values
  })
}

/** Lengths are checked against the bytes that are there before anything is allocated. */
function readLengths(view: DataView): number[] {
  if (view.byteLength < 8) throw unreadable('its header is cut short')
  if (view.getUint32(0, true) !== FORMAT) throw unreadable('its format is unknown')
  const levels = view.getUint32(4, true)
  if (levels < 1 || levels > MAX_LEVELS) throw unreadable('its number of levels is impossible')
  if (view.byteLength < headerBytes(levels)) throw unreadable('its header is cut short')
  const lengths = Array.from({ length: levels }, (_, h) => view.getUint32(8 + h * 4, true))
  const total = lengths.reduce((sum, length) => sum + length, 0)
  if (total > MAX_VALUES || view.byteLength !== headerBytes(levels) + total * 8)
    throw unreadable('wrong length')
  for (let at = 8 + levels * 4; at < headerBytes(levels); at += 1) {
    if (view.getUint8(at) !== 0) throw unreadable('its padding is not empty')
  }
  return lengths
}

const headerBytes = (levels: number) => Math.ceil((8 + levels * 4) / 8) * 8

const unreadable = (why: string) => new RangeError(`Cannot read a sketch: ${why}.`)
