import { BodyBuilder } from './body-builder.ts'
import { isDecodedName } from './name.ts'
import type { ParsedBatch } from './parsed-batch.ts'
import type { Rejection } from './rejection.ts'

/** The kinds of data a metric may hold, as OTLP's JSON calls them. */
export const DATA_KINDS = ['gauge', 'sum', 'histogram', 'exponentialHistogram', 'summary'] as const
export type DataKind = (typeof DATA_KINDS)[number]

/** Whether its datapoints hold a number; those of the other kinds hold a count and mostly a sum. */
export const isNumeric = (kind: DataKind): boolean => kind === 'gauge' || kind === 'sum'

/** The sum of a summary is not optional in the protocol, where what is left out is 0. */
export const unsetSumOf = (kind: DataKind): number | undefined => (kind === 'summary' ? 0 : undefined)

/** The flag of a datapoint that says: no value was recorded. */
const NO_RECORDED_VALUE = 1

export interface OtlpMetric {
  device: string
  name: string
  /** null: none. */
  unit: string | null
  /** Where its datapoints stand, e.g. `resourceMetrics[0].scopeMetrics[0].metrics[2].gauge`. */
  path: string
}

/** What of an OTLP datapoint a datapoint is, as the name of its metric ends. */
type Part = '' | '.count' | '.sum'

/**
 * Collects the datapoints of an OTLP export, whatever it was encoded in. One of a gauge or sum is a datapoint of
 * the series `NAME`, one of a histogram or summary is one of `NAME.count` and one of `NAME.sum`, in this order,
 * both at the place of the one they come from. Sums and counts are kept as they come, whatever their temporality.
 * Scopes and other attributes of resources tell no series apart. Throws a BatchRefusal beyond 50,000 datapoints.
 */
export class OtlpBatch {
  readonly #receivedAt: number
  readonly #body = new BodyBuilder()
  readonly #nulls: number[] = []
  readonly #unstorable: Rejection[] = []
  #timedByArrival = false
  /** By device and metric. */
  readonly #indexOf = new Map<string, Map<string, number>>()
  #metric: OtlpMetric = { device: '', name: '', unit: null, path: '' }
  #isNameable = false
  /** Series of the metric at hand by what follows its name: a look-up without making a name. */
  #known: Partial<Record<Part, Map<string, number | undefined>>> = {}
  #suffix: string | undefined = ''
  #ts = 0
  #isRecorded = true
  /** The OTLP datapoint that each datapoint comes from, counted over the whole body. */
  readonly #pointOf: number[] = []
  #points = 0
  /** The first OTLP datapoint of each metric that has any. */
  readonly #starts: { point: number; path: string }[] = []

  constructor(receivedAt: number) {
    this.#receivedAt = receivedAt
  }

  /** All datapoints that follow, until the next metric, are its. */
  startMetric(metric: OtlpMetric): void {
    const { device, name, unit } = metric
    this.#metric = metric
    this.#known = {}
    this.#isNameable = isDecodedName(device) && isDecodedName(name) && (unit === null || isDecodedName(unit))
    const start = this.#starts.at(-1)
    if (start?.point === this.#points) start.path = metric.path
    else this.#starts.push({ point: this.#points, path: metric.path })
  }

  /**
   * What a datapoint has whatever its kind: what follows its metric's name (undefined: no name can hold it), the
   * time in epoch ms (null: unknown, it is that of arrival), and its flags.
   */
  startPoint(suffix: string | undefined, ts: number | null, flags: number): void {
    this.#suffix = suffix
    this.#ts = ts ?? this.#receivedAt
    this.#isRecorded = (flags & NO_RECORDED_VALUE) === 0
    if (ts === null) this.#timedByArrival = true
    this.#points += 1
  }

  /** A datapoint without a value has nothing to store. */
  addNumber(value: number | undefined): void {
    this.#add('', this.#isRecorded ? value : undefined)
  }

  addDistribution(count: number, sum: number | undefined): void {
    this.#add('.count', this.#isRecorded ? count : undefined)
    if (sum !== undefined && this.#isRecorded) this.#add('.sum', sum)
  }

  batch(): ParsedBatch {
    return {
      ...{ ...this.#body.body(), batchId: undefined, source: undefined, nulls: this.#nulls },
      ...{ unstorable: this.#unstorable, timedByArrival: this.#timedByArrival },
      pathOf: (ordinal) => this.#pathOf(ordinal),
    }
  }

  /** The one place where the body grows. */
  #add(part: Part, value: number | undefined): void {
    const ordinal = this.#body.length
    const isNumeric = value !== undefined && Number.isFinite(value)
    const series = isNumeric ? this.#seriesOf(part) : undefined
    if (value === undefined) this.#nulls.push(ordinal)
    else if (!isNumeric) this.#unstorable.push({ ordinal, code: 'not_numeric' })
    else if (series === undefined) this.#unstorable.push({ ordinal, code: 'invalid_name' })
    this.#body.add(series ?? 0, this.#ts, isNumeric ? value : 0)
    this.#pointOf.push(this.#points - 1)
  }

  /** undefined: no series can have such a name. */
  #seriesOf(part: Part): number | undefined {
    const suffix = this.#suffix
    if (suffix === undefined || !this.#isNameable) return undefined
    this.#known[part] ??= new Map()
    const known = this.#known[part]
    const index = known.get(suffix)
    if (index !== undefined || known.has(suffix)) return index
    const named = this.#indexOfName(`${this.#metric.name}${part}${suffix}`, part)
    known.set(suffix, named)
    return named
  }

  /** The last unit counts. How often something was counted has none. */
  #indexOfName(metric: string, part: Part): number | undefined {
    if (!isDecodedName(metric)) return undefined
    const { device } = this.#metric
    const unit = part === '.count' ? null : this.#metric.unit
    const known = this.#indexOf.get(device) ?? new Map<string, number>()
    this.#indexOf.set(device, known)
    const index = known.get(metric) ?? this.#body.names.push({ device, metric, unit }) - 1
    known.set(metric, index)
    if (unit !== null) this.#body.names[index]!.unit = unit
    return index
  }

  #pathOf(ordinal: number): string {
    const point = this.#pointOf[ordinal]!
    let [low, high] = [0, this.#starts.length - 1]
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (this.#starts[middle]!.point <= point) low = middle
      else high = middle - 1
    }
    const start = this.#starts[low]!
    return `${start.path}.dataPoints[${point - start.point}]`
  }
}
