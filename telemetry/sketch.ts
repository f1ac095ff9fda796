import { madSorted, medianSorted } from './median.ts'

const FORMAT_EXACT = 1
const HEADER_BYTES = 8

/**
 * The distribution of a window's values: `add`, `merge`, `median`, `mad`. Holds every value and is exact.
 * Its bytes start with a format number, so that a bounded form can stand beside the exact one.
 */
export class Sketch {
  #values: Float64Array
  #count: number
  #sorted: boolean

  constructor(capacity = 16) {
    this.#values = new Float64Array(capacity)
    this.#count = 0
    this.#sorted = true
  }

  get count(): number {
    return this.#count
  }

  /** Memory held for values. */
  get bytes(): number {
    return this.#values.byteLength
  }

  add(value: number): void {
    if (this.#count === this.#values.length) this.#grow(Math.max(1, this.#count * 2))
    if (this.#count > 0 && value < this.#values[this.#count - 1]!) this.#sorted = false
    this.#values[this.#count] = value
    this.#count += 1
  }

  /** Adds all that `other` holds; `other` stays as it is but for the order of its values. */
  merge(other: Sketch): void {
    for (const value of other.#view()) this.add(value)
  }

  median(): number {
    return medianSorted(this.#view())
  }

  /** Raw median absolute deviation. */
  mad(): number {
    const sorted = this.#view()
    return madSorted(sorted, medianSorted(sorted))
  }

  /** Little-endian: u32 format, u32 count, the values ascending as f64. */
  toBytes(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(HEADER_BYTES + this.#count * 8)
    const view = new DataView(bytes.buffer)
    view.setUint32(0, FORMAT_EXACT, true)
    view.setUint32(4, this.#count, true)
    this.#view().forEach((value, i) => {
      view.setFloat64(HEADER_BYTES + i * 8, value, true)
    })
    return bytes
  }

  /** Throws a RangeError on bytes that `toBytes` cannot have written. */
  static fromBytes(bytes: Uint8Array): Sketch {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    if (bytes.length < HEADER_BYTES) throw new RangeError('Cannot read a sketch: its header is cut short.')
    if (view.getUint32(0, true) !== FORMAT_EXACT) throw new RangeError('Cannot read a sketch of this format.')
    const count = view.getUint32(4, true)
    if (bytes.length !== HEADER_BYTES + count * 8) throw new RangeError('Cannot read a sketch: wrong length.')
    const sketch = new Sketch(Math.max(count, 1))
    for (let i = 0; i < count; i += 1) {
      const value = view.getFloat64(HEADER_BYTES + i * 8, true)
      if (!Number.isFinite(value))
        throw new RangeError('Cannot read a sketch: it holds a value that is not finite.')
      if (i > 0 && value < sketch.#values[i - 1]!)
        throw new RangeError('Cannot read a sketch: its values are out of order.')
      sketch.add(value)
    }
    return sketch
  }

  #grow(capacity: number): void {
    const grown = new Float64Array(capacity)
    grown.set(this.#values)
    this.#values = grown
  }

  #view(): Float64Array {
    const values = this.#values.subarray(0, this.#count)
    if (!this.#sorted) values.sort()
    this.#sorted = true
    return values
  }
}
