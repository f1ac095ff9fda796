/** Of those that are remembered; a power of two. */
const SLOTS = 1024

/**
 * Remembers what was made of stretches of some bytes, so that what repeats in them is made once. Where two differ
 * and meet in a slot the later one stays: no bytes make it large, or slow.
 */
export class ByteMemo<T> {
  readonly #bytes: Uint8Array
  readonly #make: (from: number, to: number) => T
  readonly #from = new Uint32Array(SLOTS)
  /** 0: nothing is remembered here. */
  readonly #to = new Uint32Array(SLOTS)
  readonly #made: T[] = []

  /** What is made must depend on nothing but the bytes from `from` to `to`. */
  constructor(bytes: Uint8Array, make: (from: number, to: number) => T) {
    this.#bytes = bytes
    this.#make = make
  }

  /** O(to - from). */
  of(from: number, to: number): T {
    const slot = this.#slotOf(from, to)
    if (this.#holds(slot, from, to)) return this.#made[slot]!
    const made = this.#make(from, to)
    this.#from[slot] = from
    this.#to[slot] = to
    this.#made[slot] = made
    return made
  }

  /** By FNV-1a. */
  #slotOf(from: number, to: number): number {
    let hash = 0x811c9dc5
    for (let i = from; i < to; i += 1) hash = Math.imul(hash ^ this.#bytes[i]!, 0x01000193)
    return (hash ^ (hash >>> 16)) & (SLOTS - 1)
  }

  #holds(slot: number, from: number, to: number): boolean {
    const known = this.#from[slot]!
    const length = to - from
    if (this.#to[slot] === 0 || this.#to[slot]! - known !== length) return false
    for (let i = 0; i < length; i += 1) {
      if (this.#bytes[known + i] !== this.#bytes[from + i]) return false
    }
    return true
  }
}
