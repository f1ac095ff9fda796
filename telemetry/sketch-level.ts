/**
 * A growing list of values that is sorted when somebody looks. A plain array, which grows on the heap: each growth
 * of a typed one is a buffer of its own, which costs more than adding all that it holds.
 */
export class Level {
  readonly #values: number[] = []
  #sorted = true

  static of(sorted: Float64Array): Level {
    const level = new Level()
    level.addRun(sorted, 0, sorted.length)
    return level
  }

  get length(): number {
    return this.#values.length
  }

  /** At most: the engine grows an array by half and 16. */
  get bytes(): number {
    return 8 * (1.5 * this.length + 16)
  }

  add(value: number): void {
    if (this.length > 0 && value < this.#values[this.length - 1]!) this.#sorted = false
    this.#values.push(value)
  }

  addRun(values: Float64Array, start: number, end: number): void {
    const own = this.#values
    let last = own.length > 0 ? own[own.length - 1]! : Number.NEGATIVE_INFINITY
    for (let i = start; i < end; i += 1) {
      const value = values[i]!
      if (value < last) this.#sorted = false
      own.push(value)
      last = value
    }
  }

  sorted(): Float64Array {
    const values = new Float64Array(this.#values)
    if (this.#sorted) return values
    values.sort()
    for (let i = 0; i < values.length; i += 1) this.#values[i] = values[i]! // Array.from takes longer than sorting
    this.#sorted = true
    return values
  }

  /** Moves every other value to `upper`; an odd one out stays, so that weights add up to the count for ever. */
  moveHalf(upper: Level, offset: 0 | 1): void {
    const values = this.sorted()
    const odd = values.length % 2
    for (let i = odd + offset; i < values.length; i += 2) upper.add(values[i]!)
    this.#values.length = odd
  }
}
