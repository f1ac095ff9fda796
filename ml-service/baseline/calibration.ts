/** The part of the distances that is the tail. */
const TAIL_FRACTION = 0.02

/** Distances that make a tail while there are few. */
const MIN_TAIL = 5

/** Distances a generation counts; two of them are 4 weeks of 300 s windows. */
const GENERATION = 4032

/** Enough for the tail of two full generations and the distance that bounds it. */
export const KEPT_DISTANCES = Math.ceil(TAIL_FRACTION * 2 * GENERATION) + 1

/** The largest distances of a generation, descending, and how many there were in all. */
export interface Generation {
  top: number[]
  count: number
}

/**
 * What a metric's distances in one view have been: the tails of the current and the last generation. What a
 * metric did four weeks ago is forgotten a generation at a time, so nothing has to be stored but the tops.
 */
export class Calibration {
  #current: Generation
  #previous: Generation
  /** The last fit, until a distance belongs to the tail or the tail is to be longer. */
  #tail: { base: number; excess: number; length: number } | undefined

  constructor(current: Generation = { top: [], count: 0 }, previous: Generation = { top: [], count: 0 }) {
    this.#current = current
    this.#previous = previous
  }

  /** Distances that count. */
  get size(): number {
    return this.#current.count + this.#previous.count
  }

  /** The largest distance that is remembered; 0 before the first. */
  get largest(): number {
    return Math.max(this.#current.top[0] ?? 0, this.#previous.top[0] ?? 0)
  }

  get generations(): [current: Generation, previous: Generation] {
    return [this.#current, this.#previous]
  }

  /** Learns one distance, not negative and rounded as in histories. */
  add(distance: number): void {
    if (this.#tail && distance > this.#tail.base) this.#tail = undefined
    const { top } = this.#current
    this.#current.count += 1
    if (top.length < KEPT_DISTANCES || distance > top[top.length - 1]!) {
      let at = top.length
      while (at > 0 && top[at - 1]! < distance) at -= 1
      top.splice(at, 0, distance)
      if (top.length > KEPT_DISTANCES) top.pop()
    }
    if (this.#current.count < GENERATION) return
    this.#previous = this.#current
    this.#current = { top: [], count: 0 }
    this.#tail = undefined
  }

  /**
   * The distance that a part `rarity` (0-1) of the windows would exceed, by an exponential tail fitted to the
   * largest distances: it needs no more of them than there are, nor rests on a single one. At least the distance
   * where the tail begins. Undefined before there are enough. O(tail) when the tail
   * has changed, else O(1).
   */
  limit(rarity: number): number | undefined {
    if (this.size <= MIN_TAIL) return undefined
    const length = Math.max(MIN_TAIL, Math.ceil(TAIL_FRACTION * this.size))
    if (this.#tail?.length !== length) this.#tail = this.#fitTail(length)
    const { base, excess } = this.#tail
    return base + excess * Math.max(0, Math.log(length / this.size / rarity))
  }

  #fitTail(length: number) {
    const [a, b] = [this.#current.top, this.#previous.top]
    let sum = 0
    let i = 0
    let j = 0
    for (let taken = 0; taken < length; taken += 1) {
      const fromCurrent = j >= b.length || (i < a.length && a[i]! >= b[j]!)
      sum += fromCurrent ? a[i++]! : b[j++]!
    }
    const base = Math.max(a[i] ?? 0, b[j] ?? 0)
    return { base, excess: sum / length - base, length }
  }
}
