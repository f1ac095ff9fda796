import { WINDOW_MS } from '../../telemetry/window.ts'

/** The largest single-precision number: what is beyond counts as this. */
const MAX = 2 ** 127 * (2 - 2 ** -23)

/**
 * A value as histories hold it: single precision, which halves what is stored and is finer than what
 * telemetry means by its digits. Values must be rounded so before they are compared with a history.
 */
export const rounded = (value: number) => Math.fround(Math.max(-MAX, Math.min(MAX, value))) + 0 // no -0

/** A value that was anomalous and is kept apart for now. */
interface Held {
  start: number
  value: number
}

/**
 * The last `capacity` values of one view, in order of time and, those that are known, in order of size.
 * A held value is not known before it is released. Adding is a binary search and one block move. Values must be
 * `rounded()`; window starts must ascend.
 */
export class History {
  readonly #windows: Uint32Array
  readonly #values: Float32Array
  readonly #sorted: Float32Array
  /** Oldest first. */
  #held: Held[] = []
  #oldest = 0
  #size = 0

  constructor(capacity: number) {
    this.#windows = new Uint32Array(capacity)
    this.#values = new Float32Array(capacity)
    this.#sorted = new Float32Array(capacity)
  }

  get size(): number {
    return this.#size
  }

  /** How many values are known. */
  get known(): number {
    return this.#size - this.#held.length
  }

  /** Start of window `i` as counted from the oldest; undefined where there is none. */
  startAt(i: number): number | undefined {
    return i < 0 || i >= this.#size ? undefined : this.#windows[this.#slot(i)]! * WINDOW_MS
  }

  /** The value of window `i` as counted from the oldest. */
  valueAt(i: number): number {
    return this.#values[this.#slot(i)]!
  }

  /** Known value `i` as counted from the smallest. */
  sortedAt(i: number): number {
    return this.#sorted[i]!
  }

  add(start: number, value: number, hold = false): void {
    const capacity = this.#values.length
    if (this.#size === capacity) this.#dropOldest()
    const slot = this.#slot(this.#size)
    this.#windows[slot] = start / WINDOW_MS
    this.#values[slot] = value
    if (hold) this.#held.push({ start, value })
    else this.#insert(value)
    this.#size += 1
  }

  /** Takes over what an empty history is to hold, at once: oldest first, at most its capacity. O(n log n). */
  fill(starts: number[], values: Float32Array, held: Set<number>): void {
    starts.forEach((start, i) => {
      this.#windows[i] = start / WINDOW_MS
      if (held.has(start)) this.#held.push({ start, value: values[i]! })
    })
    this.#values.set(values)
    this.#size = values.length
    const known = this.#held.length === 0 ? values : values.filter((_, i) => !held.has(starts[i]!))
    this.#sorted.set(known.toSorted())
  }

  /** Makes known what was held in windows that started before `start`. */
  releaseBefore(start: number): void {
    while (this.#held.length > 0 && this.#held[0]!.start < start) {
      const { value } = this.#held[0]!
      this.#insert(value)
      this.#held.shift()
    }
  }

  /** The value that a fraction `p` (0-1) of the known ones lies below; undefined while there is none. */
  quantile(p: number): number | undefined {
    return this.known === 0 ? undefined : this.#sorted[Math.min(this.known - 1, Math.floor(p * this.known))]
  }

  /** Position of the known value nearest to `value`; undefined while there is none. */
  nearest(value: number): number | undefined {
    if (this.known === 0) return undefined
    const above = this.#rank(value)
    if (above === this.known) return above - 1
    if (above === 0) return 0
    return this.#sorted[above]! - value < value - this.#sorted[above - 1]! ? above : above - 1
  }

  /** Distance to the nearest held value; infinite when there is none. */
  heldDistance(value: number): number {
    let least = Number.POSITIVE_INFINITY
    for (const held of this.#held) least = Math.min(least, Math.abs(held.value - value))
    return least
  }

  /** Writes the values of the windows that start in `[from, to]` to `into` from `at` on; returns where they end. */
  collect(from: number, to: number, into: Float32Array, at: number): number {
    let end = at
    for (let i = this.#firstFrom(from); i < this.#size && end < into.length; i += 1) {
      const slot = this.#slot(i)
      if (this.#windows[slot]! * WINDOW_MS > to) break
      into[end] = this.#values[slot]!
      end += 1
    }
    return end
  }

  #slot(i: number): number {
    const slot = this.#oldest + i
    return slot < this.#values.length ? slot : slot - this.#values.length
  }

  #insert(value: number): void {
    const at = this.#rank(value)
    this.#sorted.copyWithin(at + 1, at, this.known)
    this.#sorted[at] = value
  }

  #dropOldest(): void {
    const start = this.#windows[this.#oldest]! * WINDOW_MS
    if (this.#held[0]?.start === start) this.#held.shift()
    else {
      const at = this.#rank(this.#values[this.#oldest]!)
      this.#sorted.copyWithin(at, at + 1, this.known)
    }
    this.#oldest = (this.#oldest + 1) % this.#values.length
    this.#size -= 1
  }

  /** How many known values are smaller than `value`. */
  #rank(value: number): number {
    let low = 0
    let high = this.known
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#sorted[middle]! < value) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Position, counted from the oldest, of the first window that starts at or after `from`. */
  #firstFrom(from: number): number {
    const window = Math.ceil(from / WINDOW_MS)
    if (this.#size === 0) return 0
    // Where no window is missing since, its place is known.
    const guess = this.#size - 1 - (this.#windows[this.#slot(this.#size - 1)]! - window)
    if (guess >= 0 && guess < this.#size && this.#windows[this.#slot(guess)] === window) return guess
    let low = 0
    let high = this.#size
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#windows[this.#slot(middle)]! < window) low = middle + 1
      else high = middle
    }
    return low
  }
}
