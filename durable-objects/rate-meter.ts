const SECONDS = 60

/** What came in over the last minute, second by second: a fixed memory, for showing and not for deciding. */
export class RateMeter {
  readonly #datapoints = new Float64Array(SECONDS)
  readonly #batches = new Float64Array(SECONDS)
  #second = 0

  add(datapoints: number, now: number): void {
    const slot = this.#advance(now)
    this.#datapoints[slot]! += datapoints
    this.#batches[slot]! += 1
  }

  /** Means over the last 60 s. */
  rate(now: number): { datapointsPerSecond: number; batchesPerSecond: number } {
    this.#advance(now)
    const mean = (counts: Float64Array) => counts.reduce((sum, count) => sum + count, 0) / SECONDS
    return { datapointsPerSecond: mean(this.#datapoints), batchesPerSecond: mean(this.#batches) }
  }

  /** Empties the seconds that passed without a batch; returns the slot of `now`. */
  #advance(now: number): number {
    const second = Math.max(this.#second, Math.floor(now / 1000))
    for (let s = Math.max(this.#second + 1, second - SECONDS + 1); s <= second; s += 1) {
      this.#datapoints[s % SECONDS] = 0
      this.#batches[s % SECONDS] = 0
    }
    this.#second = second
    return second % SECONDS
  }
}
