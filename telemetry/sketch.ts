import { madSorted, medianSorted } from './median.ts'
import type { Random } from './random.ts'
import { decodeLevels, encodeLevels } from './sketch-bytes.ts'
import { Level } from './sketch-level.ts'
import { type WeightedValues, weightedMad, weightedQuantile } from './weighted-quantile.ts'

/** Up to this many values a sketch that was not merged holds every one and is exact. */
export const EXACT_COUNT = 512

/** Each level has room for two thirds of the one above it, and at least this many. */
const SHRINK = 2 / 3
const MIN_CAPACITY = 8

/**
 * Normalized rank error of a single quantile, exceeded with a probability of 1 %: 2.296 / k^0.9021, as Apache
 * DataSketches measured it for KLL sketches of this k.
 */
export const RANK_ERROR = 2.296 / EXACT_COUNT ** 0.9021

/**
 * The distribution of a window's values: `add`, `merge`, `quantile`, `median`, `mad`. Exact while it is small,
 * then a KLL sketch (Karnin, Lang, Liberty: Optimal Quantile Approximation in Streams, 2016) of fewer than 1,600
 * values. A value at level h stands for 2^h; a full level is sorted and every other value, starting from
 * a random one of the first two, moves a level up. `random` is all the randomness there is.
 */
export class Sketch {
  readonly #levels: Level[] = [new Level()]
  readonly #random: Random
  #count = 0

  constructor(random: Random) {
    this.#random = random
  }

  get count(): number {
    return this.#count
  }

  /** Whether it still holds every value. */
  get exact(): boolean {
    return this.#levels.length === 1
  }

  /** Memory held for values. */
  get bytes(): number {
    return this.#levels.reduce((sum, level) => sum + level.bytes, 0)
  }

  add(value: number): void {
    this.#levels[0]!.add(value)
    this.#count += 1
    if (this.#levels[0]!.length > this.#capacityOf(0)) this.#compress()
  }

  /** Adds the values from `start` to `end`: what `add` for each comes to. */
  addRun(values: Float64Array, start: number, end: number): void {
    for (let from = start; from < end; ) {
      const level = this.#levels[0]!
      const room = Math.max(1, this.#capacityOf(0) + 1 - level.length)
      const to = Math.min(end, from + room)
      level.addRun(values, from, to)
      this.#count += to - from
      from = to
      if (level.length > this.#capacityOf(0)) this.#compress()
    }
  }

  /** Adds all that `other` stands for; `other` stays as it is but for the order of its values. */
  merge(other: Sketch): void {
    const added = other.#count
    other.#levels.forEach((level, h) => {
      while (this.#levels.length <= h) this.#levels.push(new Level())
      for (const value of level.sorted()) this.#levels[h]!.add(value)
    })
    this.#count += added
    this.#compress()
  }

  /** Quantile `p` (0 to 1); exact ones are interpolated, see `weightedQuantile`. Throws on no values. */
  quantile(p: number): number {
    return weightedQuantile(this.#weighted(), p)
  }

  median(): number {
    return this.exact ? medianSorted(this.#levels[0]!.sorted()) : this.quantile(0.5)
  }

  /** Raw median absolute deviation. */
  mad(): number {
    if (!this.exact) return weightedMad(this.#weighted(), this.median())
    const sorted = this.#levels[0]!.sorted()
    return madSorted(sorted, medianSorted(sorted))
  }

  toBytes(): Uint8Array<ArrayBuffer> {
    return encodeLevels(this.#levels.map((level) => level.sorted()))
  }

  /** Throws a RangeError on bytes that `toBytes` cannot have written. */
  static fromBytes(bytes: Uint8Array, random: Random): Sketch {
    const sketch = new Sketch(random)
    const levels = decodeLevels(bytes)
    sketch.#levels.splice(0, 1, ...levels.map((values) => Level.of(values)))
    sketch.#count = levels.reduce((sum, values, h) => sum + values.length * 2 ** h, 0)
    if (sketch.#levels.some((level, h) => level.length > sketch.#capacityOf(h) + 1)) {
      throw new RangeError('Cannot read a sketch: a level holds more values than it has room for.')
    }
    return sketch
  }

  /** Room at level `h`: the top level has most, so that what counts most is thinned out least. */
  #capacityOf(h: number): number {
    return Math.max(MIN_CAPACITY, Math.ceil(EXACT_COUNT * SHRINK ** (this.#levels.length - 1 - h)))
  }

  /** Thins out every level that is over its room, from the lowest up. A new top level makes those below smaller. */
  #compress(): void {
    for (let h = 0; h < this.#levels.length; h += 1) {
      const level = this.#levels[h]!
      if (level.length <= this.#capacityOf(h)) continue
      if (h + 1 === this.#levels.length) {
        this.#levels.push(new Level())
        h = -1 // the levels below have less room now
        continue
      }
      level.moveHalf(this.#levels[h + 1]!, this.#random() < 0.5 ? 0 : 1)
    }
  }

  #weighted(): WeightedValues {
    const weighted = this.#levels.flatMap((level, h) =>
      Array.from(level.sorted(), (value) => [value, 2 ** h] as const),
    )
    weighted.sort(([a], [b]) => a - b)
    return {
      values: Float64Array.from(weighted, ([value]) => value),
      weights: Float64Array.from(weighted, ([, weight]) => weight),
      total: this.#count,
    }
  }
}
