const FIRST_CAPACITY = 8

/** A growing list of values that is sorted when somebody looks. */
export class Level {
  #values: Float64Array = new Float64Array(FIRST_CAPACITY)
  #sorted = true
  length = 0

  static of(sorted: Float64Array): Level {
    const level = new Level()
    level.#values = sorted
    level.length = sorted.length
    return level
  }

  get bytes(): number {
    return this.#values.byteLength
  }

  add(value: number): void {
    if (this.length === this.#values.length) this.#growTo(this.length + 1)
    if (this.length > 0 && value < this.#values[this.length - 1]!) this.#sorted = false
    this.#values[this.length] = value
    this.length += 1
  }

  addRun(values: Float64Array, start: number, end: number): void {
    const length = this.length + end - start
    if (length > this.#values.length) this.#growTo(length)
    let last = this.length > 0 ? this.#values[this.length - 1]! : Number.NEGATIVE_INFINITY
    for (let i = start, at = this.length; i < end; i += 1, at += 1) {
      const value = values[i]!
      if (value < last) this.#sorted = false
      this.#values[at] = value
      last = value
    }
    this.length = length
  }

  sorted(): Float64Array {
    const values = this.#values.subarray(0, this.length)
    if (!this.#sorted) values.sort()
    this.#sorted = true
    return values
  }

  /** Moves every other value to `upper`; an odd one out stays, so that weights add up to the count for ever. */
  moveHalf(upper: Level, offset: 0 | 1): void {
    const values = this.sorted()
    const odd = values.length % 2
    for (let i = odd + offset; i < values.length; i += 2) upper.add(values[i]!)
    this.length = odd
  }

  /** Gives back memory that a level needed before those above it came; keeps it where it will be used again. */
  shrinkTo(room: number): void {
    if (this.#values.length > 2 * room) this.#values = this.#values.slice(0, room)
  }

  /** By doubling, so that the cost a value stays constant. */
  #growTo(length: number): void {
    let capacity = Math.max(FIRST_CAPACITY, this.#values.length)
    while (capacity < length) capacity *= 2
    const grown = new Float64Array(capacity)
    grown.set(this.#values)
    this.#values = grown
  }
}
