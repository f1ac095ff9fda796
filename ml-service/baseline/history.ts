import { WINDOW_MS } from '../../telemetry/window.ts'

/** What a history looks like in an artefact: little-endian arrays in base64, oldest first. */
export interface HistorySnapshot {
  /** Window numbers since the epoch (start / 300 s) as u32. */
  windows: string
  /** One f64 a window. */
  values: string
}

/**
 * The last `capacity` values of one feature, by time and by size at once: adding is O(log n) to find and one
 * block move, quantiles are O(1). Values must be finite and come with ascending window starts.
 */
export class History {
  readonly #starts: Float64Array
  readonly #values: Float64Array
  readonly #sorted: Float64Array
  #oldest = 0
  #size = 0

  constructor(capacity: number) {
    this.#starts = new Float64Array(capacity)
    this.#values = new Float64Array(capacity)
    this.#sorted = new Float64Array(capacity)
  }

  get size(): number {
    return this.#size
  }

  /** Start of the oldest window held; undefined while empty. */
  get oldestStart(): number | undefined {
    return this.#size === 0 ? undefined : this.#starts[this.#oldest]
  }

  add(start: number, value: number): void {
    const capacity = this.#values.length
    if (this.#size === capacity) this.#dropOldest()
    const slot = (this.#oldest + this.#size) % capacity
    this.#starts[slot] = start
    this.#values[slot] = value
    const at = this.#rank(value)
    this.#sorted.copyWithin(at + 1, at, this.#size)
    this.#sorted[at] = value
    this.#size += 1
  }

  /** The value that a fraction `p` (0-1) of the history lies below; undefined while empty. */
  quantile(p: number): number | undefined {
    if (this.#size === 0) return undefined
    return this.#sorted[Math.min(this.#size - 1, Math.floor(p * this.#size))]
  }

  /** Appends to `into` the values of the windows that start in `[from, to]`. */
  collect(from: number, to: number, into: number[]): void {
    for (let i = this.#firstFrom(from); i < this.#size; i += 1) {
      const slot = (this.#oldest + i) % this.#values.length
      if (this.#starts[slot]! > to) return
      into.push(this.#values[slot]!)
    }
  }

  snapshot(): HistorySnapshot {
    const windows = new Uint32Array(this.#size)
    const values = new Float64Array(this.#size)
    for (let i = 0; i < this.#size; i += 1) {
      const slot = (this.#oldest + i) % this.#values.length
      windows[i] = this.#starts[slot]! / WINDOW_MS
      values[i] = this.#values[slot]!
    }
    return { windows: base64Of(windows), values: base64Of(values) }
  }

  /** The history that `snapshot` described. Throws a RangeError on anything it cannot have written. */
  static from(snapshot: HistorySnapshot, capacity: number): History {
    const windows = new Uint32Array(bytesOf(snapshot.windows, 4))
    const values = new Float64Array(bytesOf(snapshot.values, 8))
    if (windows.length !== values.length || values.length > capacity || !values.every(Number.isFinite)) {
      throw new RangeError('Cannot read a history: its arrays do not fit.')
    }
    const history = new History(capacity)
    history.#size = values.length
    history.#values.set(values)
    history.#sorted.set(values.sort())
    windows.forEach((window, i) => {
      history.#starts[i] = window * WINDOW_MS
    })
    return history
  }

  #dropOldest(): void {
    const at = this.#rank(this.#values[this.#oldest]!)
    this.#sorted.copyWithin(at, at + 1, this.#size)
    this.#oldest = (this.#oldest + 1) % this.#values.length
    this.#size -= 1
  }

  /** How many values are smaller than `value`. */
  #rank(value: number): number {
    let low = 0
    let high = this.#size
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#sorted[middle]! < value) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Position, counted from the oldest, of the first window that starts at or after `from`. */
  #firstFrom(from: number): number {
    let low = 0
    let high = this.#size
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#starts[(this.#oldest + middle) % this.#values.length]! < from) low = middle + 1
      else high = middle
    }
    return low
  }
}

const base64Of = (array: Uint32Array | Float64Array) =>
  Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString('base64')

/** A copy, because a Buffer may start at an address that a typed array cannot. */
function bytesOf(base64: string, width: number): ArrayBuffer {
  const bytes = Uint8Array.from(Buffer.from(base64, 'base64'))
  if (bytes.length % width !== 0) throw new RangeError('Cannot read a history: its bytes are cut short.')
  return bytes.buffer
}
