import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { WINDOW_MS } from '../../telemetry/window.ts'
import { History } from './history.ts'

/** What a history looks like in an artefact: packed arrays, oldest first. */
export interface StoredHistory {
  /** Windows since the one before, the first since the epoch, as u32. */
  steps: string
  /** One f32 a window. */
  values: string
}

/** Little-endian numbers, deflated, in base64. */
export const pack = (numbers: Float32Array | Uint32Array): string =>
  deflateRawSync(new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength)).toString('base64')

/** The bytes that `pack` was given, at most `maxBytes`. Throws on anything else. */
export function unpack(text: string, maxBytes: number): ArrayBuffer {
  const bytes = inflateRawSync(Buffer.from(text, 'base64'), { maxOutputLength: Math.max(1, maxBytes) })
  if (bytes.length % 4 !== 0) throw new RangeError('Cannot read a history: its bytes are cut short.')
  return Uint8Array.from(bytes).buffer // a copy, because a Buffer may start at an address that a typed array cannot
}

/** Finite numbers that `pack` was given, at most `most`. */
export function unpackFloats(text: string, most: number): Float32Array {
  const floats = new Float32Array(unpack(text, most * 4))
  if (!floats.every(Number.isFinite)) throw new RangeError('Cannot read numbers that are not finite.')
  return floats
}

export function storedHistory(history: History): StoredHistory {
  const steps = new Uint32Array(history.size)
  const values = new Float32Array(history.size)
  for (let i = 0, before = 0; i < history.size; i += 1) {
    const window = history.startAt(i)! / WINDOW_MS
    steps[i] = window - before
    values[i] = history.valueAt(i)
    before = window
  }
  return { steps: pack(steps), values: pack(values) }
}

/**
 * The history that was stored; `held` are the starts of the windows whose values are not known yet. Throws a RangeError
 * on anything that `storedHistory` cannot have written.
 */
export function restoredHistory(stored: StoredHistory, capacity: number, held: Set<number>): History {
  const steps = new Uint32Array(unpack(stored.steps, capacity * 4))
  const values = unpackFloats(stored.values, capacity)
  if (steps.length !== values.length) throw new RangeError('Cannot read a history: its arrays do not fit.')
  const history = new History(capacity)
  const starts = Array.from(steps)
  for (let i = 1; i < starts.length; i += 1) starts[i]! += starts[i - 1]!
  history.fill(
    starts.map((window) => window * WINDOW_MS),
    values,
    held,
  )
  return history
}
