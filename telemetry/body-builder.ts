import type { BodyOrder, SeriesName } from './columns.ts'
import { MAX_DATAPOINTS, tooManyDatapoints } from './parsed-batch.ts'

/** Collects the datapoints of a batch in body order, in typed arrays that grow: no object a datapoint. */
export class BodyBuilder {
  readonly names: SeriesName[] = []
  length = 0
  #seriesOf: Uint32Array
  #ts: Float64Array
  #values: Float64Array

  /** `expected` datapoints take no growing; it is a guess and no bound. */
  constructor(expected = 64) {
    const capacity = Math.max(1, Math.min(expected, MAX_DATAPOINTS))
    this.#seriesOf = new Uint32Array(capacity)
    this.#ts = new Float64Array(capacity)
    this.#values = new Float64Array(capacity)
  }

  /** Adds a datapoint of `names[series]`. Throws a BatchRefusal beyond 50,000 datapoints. */
  add(series: number, ts: number, value: number): void {
    if (this.length === this.#ts.length) this.#grow()
    this.#seriesOf[this.length] = series
    this.#ts[this.length] = ts
    this.#values[this.length] = value
    this.length += 1
  }

  /** Adds datapoints `from … to - 1` of these columns to `names[series]`. Throws a BatchRefusal beyond 50,000 datapoints. */
  addRun(series: number, columns: Pick<BodyOrder, 'ts' | 'values'>, from: number, to: number): void {
    while (this.#ts.length < this.length + to - from) this.#grow()
    let at = this.length
    for (let i = from; i < to; i += 1, at += 1) {
      this.#seriesOf[at] = series
      this.#ts[at] = columns.ts[i]!
      this.#values[at] = columns.values[i]!
    }
    this.length = at
  }

  /** Takes back all datapoints but the first `length`. */
  truncate(length: number): void {
    this.length = length
  }

  /** Gives all datapoints from `first` on this timestamp. */
  setTimestamps(first: number, ts: number): void {
    this.#ts.fill(ts, first, this.length)
  }

  /** What was collected; nothing may be added after. */
  body(): BodyOrder {
    const { names, length } = this
    const whole = length === this.#ts.length
    return {
      names,
      seriesOf: whole ? this.#seriesOf : this.#seriesOf.slice(0, length),
      ts: whole ? this.#ts : this.#ts.slice(0, length),
      values: whole ? this.#values : this.#values.slice(0, length),
    }
  }

  #grow(): void {
    if (this.#ts.length === MAX_DATAPOINTS) throw tooManyDatapoints()
    const capacity = Math.min(2 * this.#ts.length, MAX_DATAPOINTS)
    const grow = <T extends Uint32Array | Float64Array>(old: T, grown: T) => {
      grown.set(old)
      return grown
    }
    this.#seriesOf = grow(this.#seriesOf, new Uint32Array(capacity))
    this.#ts = grow(this.#ts, new Float64Array(capacity))
    this.#values = grow(this.#values, new Float64Array(capacity))
  }
}
