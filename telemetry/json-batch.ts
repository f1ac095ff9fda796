import * as v from 'valibot'
import { BatchRefusal, type Fault, MAX_FAULTS } from './batch-refusal.ts'
import type { BodyOrder, SeriesName } from './columns.ts'
import { isName, NAME_RULE } from './name.ts'
import { MAX_DATAPOINTS, type ParsedBatch, tooManyDatapoints } from './parsed-batch.ts'
import { PRECISIONS, type Precision, parseTimestamp } from './timestamp.ts'

export const BATCH_ID = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/
const Name = v.custom<string>(isName, NAME_RULE)
// Not v.array: valibot's cost an element would be that of JSON.parse itself. The loops below check elements.
const List = v.custom<unknown[]>(Array.isArray, 'must be an array')

const Envelope = v.object(
  {
    batch_id: v.optional(
      v.pipe(
        v.string('must be a string'),
        v.regex(
          BATCH_ID,
          'must be 1 to 128 characters of A-Z a-z 0-9 . _ : - that start with a letter or digit',
        ),
      ),
    ),
    source: v.optional(Name),
    precision: v.optional(v.picklist(PRECISIONS, `must be one of ${PRECISIONS.join(', ')}`), 'ms'),
    series: v.optional(List),
    datapoints: v.optional(List),
  },
  'must be a JSON object',
)

/**
 * Parses and checks a batch in either or both shapes. Throws a BatchRefusal with the first 20 faults when it
 * is malformed, and when it holds more than 50,000 datapoints. O(datapoints).
 */
export function parseJsonBatch(text: string): ParsedBatch {
  const envelope = v.safeParse(Envelope, parseJson(text))
  if (!envelope.success) throw malformed(envelope.issues.map(faultOf))
  const { batch_id: batchId, source, precision, series = [], datapoints = [] } = envelope.output
  if (envelope.output.series === undefined && envelope.output.datapoints === undefined) {
    throw malformed([{ path: '', message: 'must have "series" or "datapoints"' }])
  }
  const builder = new Builder(precision)
  const ends = series.map((entry, i) => builder.addSeries(entry, `series[${i}]`))
  const seriesCount = builder.body.ts.length
  datapoints.forEach((entry, i) => {
    builder.addDatapoint(entry, i)
  })
  builder.refuseFaults()
  const pathOf = (ordinal: number) => {
    if (ordinal >= seriesCount) return `datapoints[${ordinal - seriesCount}]`
    const entry = ends.findIndex((end) => ordinal < end)
    return `series[${entry}].points[${ordinal - (ends[entry - 1] ?? 0)}]`
  }
  return { ...builder.body, batchId, source, nulls: builder.nulls, pathOf }
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new BatchRefusal('invalid_json', 'The body is not valid JSON; send one JSON object in UTF-8.')
  }
}

const malformed = (faults: Fault[]) =>
  new BatchRefusal(
    'validation_failed',
    'The batch is malformed; correct what "errors" lists and send it again.',
    faults.slice(0, MAX_FAULTS),
  )

const faultOf = (issue: v.BaseIssue<unknown>): Fault => ({
  path: v.getDotPath(issue) ?? '',
  message: issue.message,
})

/** Collects datapoints and faults in one pass, without an object a datapoint. */
class Builder {
  readonly body: BodyOrder = { names: [], seriesOf: [], ts: [], values: [] }
  readonly nulls: number[] = []
  readonly #faults: Fault[] = []
  readonly #indexOf = new Map<string, Map<string, number>>()
  readonly #precision: Precision

  constructor(precision: Precision) {
    this.#precision = precision
  }

  /** Returns the number of datapoints so far. */
  addSeries(entry: unknown, path: string): number {
    if (!isRecord(entry)) this.#fault(path, 'must be an object')
    else {
      const series = this.#seriesOf(entry, path)
      const { points } = entry
      if (!Array.isArray(points)) this.#fault(`${path}.points`, 'must be an array of [ts, value]')
      else if (series !== undefined) this.#addPoints(points, series, path)
    }
    return this.body.ts.length
  }

  #addPoints(points: unknown[], series: number, path: string): void {
    for (let j = 0; j < points.length; j += 1) {
      const point = points[j]
      if (!Array.isArray(point) || point.length !== 2) {
        this.#fault(`${path}.points[${j}]`, 'must be [ts, value]')
        continue
      }
      const ts = parseTimestamp(point[0], this.#precision)
      if (ts === undefined) this.#fault(`${path}.points[${j}][0]`, this.#timestampRule())
      else if (!isValue(point[1])) this.#fault(`${path}.points[${j}][1]`, VALUE_RULE)
      else this.#add(series, ts, point[1])
    }
  }

  addDatapoint(entry: unknown, i: number): void {
    if (!isRecord(entry)) {
      this.#fault(`datapoints[${i}]`, 'must be an object')
      return
    }
    const series = this.#seriesOf(entry, '', i)
    const ts = parseTimestamp(entry['ts'], this.#precision)
    const value = entry['value']
    if (ts === undefined) this.#fault(`datapoints[${i}].ts`, this.#timestampRule())
    else if (!isValue(value)) this.#fault(`datapoints[${i}].value`, VALUE_RULE)
    else if (series !== undefined) this.#add(series, ts, value)
  }

  /** Throws what was found wrong, if anything. */
  refuseFaults(): void {
    if (this.#faults.length > 0) throw malformed(this.#faults)
  }

  #add(series: number, ts: number, value: number | null): void {
    const { body } = this
    if (body.ts.length === MAX_DATAPOINTS) throw tooManyDatapoints()
    if (value === null) this.nulls.push(body.ts.length)
    body.seriesOf.push(series)
    body.ts.push(ts)
    body.values.push(value ?? 0)
  }

  /** Index of the entry's series; names are checked only where they are new. The path is built only for a fault. */
  #seriesOf(entry: Record<string, unknown>, path: string, ordinal = -1): number | undefined {
    const { device, metric, unit } = entry
    const at = () => (ordinal < 0 ? path : `datapoints[${ordinal}]`)
    const known =
      typeof device === 'string' && typeof metric === 'string'
        ? this.#indexOf.get(device)?.get(metric)
        : undefined
    if (unit !== undefined && unit !== null && known !== undefined && this.body.names[known]?.unit === unit)
      return known
    if (unit !== undefined && unit !== null && !isName(unit)) this.#fault(`${at()}.unit`, NAME_RULE)
    if (known !== undefined) {
      if (typeof unit === 'string') this.body.names[known]!.unit = unit
      return known
    }
    if (!isName(device)) this.#fault(`${at()}.device`, NAME_RULE)
    if (!isName(metric)) this.#fault(`${at()}.metric`, NAME_RULE)
    if (!isName(device) || !isName(metric)) return undefined
    return this.#addName({ device, metric, unit: isName(unit) ? unit : null })
  }

  #addName(name: SeriesName): number {
    const index = this.body.names.push(name) - 1
    const metrics = this.#indexOf.get(name.device)
    if (metrics) metrics.set(name.metric, index)
    else this.#indexOf.set(name.device, new Map([[name.metric, index]]))
    return index
  }

  #timestampRule(): string {
    return `must be ISO 8601 or an integer in "${this.#precision}" (see "precision")`
  }

  #fault(path: string, message: string): void {
    this.#faults.push({ path, message })
    if (this.#faults.length === MAX_FAULTS) this.refuseFaults()
  }
}

const VALUE_RULE = 'must be a finite number or null'
const isValue = (value: unknown): value is number | null => value === null || Number.isFinite(value)
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
