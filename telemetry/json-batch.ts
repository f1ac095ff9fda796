import * as v from 'valibot'
import { BatchRefusal, type Fault, MAX_FAULTS } from './batch-refusal.ts'
import { BodyBuilder } from './body-builder.ts'
import type { SeriesName } from './columns.ts'
import { type CutPoints, cutPoints } from './cut-points.ts'
import { issuePath } from './issue-path.ts'
import { refuseTooManyNodes } from './json-nodes.ts'
import { isName, NAME_RULE } from './name.ts'
import type { ParsedBatch } from './parsed-batch.ts'
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
 * Parses and checks a batch in either or both shapes, given as the UTF-8 bytes of its JSON. Throws a BatchRefusal
 * with the first 20 faults when it is malformed, and when it holds more than 50,000 datapoints. O(bytes).
 */
export function parseJsonBatch(json: Uint8Array): ParsedBatch {
  const cut = cutPoints(json)
  if (cut) {
    const envelope = envelopeOf(cut.rest)
    // With as many arrays as entries each entry has its own: one without is refused in any case.
    if (cut.ends.length === envelope.series.length) return batchOf(envelope, cut)
  }
  return batchOf(envelopeOf(json))
}

function envelopeOf(json: Uint8Array) {
  const envelope = v.safeParse(Envelope, parseJson(json))
  if (!envelope.success) throw malformed(envelope.issues.map(faultOf))
  const { series, datapoints } = envelope.output
  if (series === undefined && datapoints === undefined) {
    throw malformed([{ path: '', message: 'must have "series" or "datapoints"' }])
  }
  return { ...envelope.output, series: series ?? [], datapoints: datapoints ?? [] }
}

function batchOf(envelope: ReturnType<typeof envelopeOf>, cut?: CutPoints): ParsedBatch {
  const { batch_id: batchId, source, precision, series, datapoints } = envelope
  const builder = new Builder(precision, cut?.ends.at(-1) ?? datapoints.length)
  const ends = series.map((entry, i) => builder.addSeries(entry, i, cut))
  const seriesCount = builder.body.length
  datapoints.forEach((entry, i) => {
    builder.addDatapoint(entry, i)
  })
  builder.refuseFaults()
  const pathOf = (ordinal: number) => {
    if (ordinal >= seriesCount) return `datapoints[${ordinal - seriesCount}]`
    const entry = ends.findIndex((end) => ordinal < end)
    return `series[${entry}].points[${ordinal - (ends[entry - 1] ?? 0)}]`
  }
  return { ...builder.body.body(), batchId, source, nulls: builder.nulls, pathOf }
}

export function parseJson(json: Uint8Array): unknown {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(json)
    refuseTooManyNodes(text)
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof BatchRefusal) throw error
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
  path: issuePath(issue),
  message: issue.message,
})

/** Collects datapoints and faults in one pass, without an object a datapoint. */
class Builder {
  readonly body: BodyBuilder
  readonly nulls: number[] = []
  readonly #faults: Fault[] = []
  readonly #indexOf = new Map<string, Map<string, number>>()
  readonly #precision: Precision

  constructor(precision: Precision, expected: number) {
    this.body = new BodyBuilder(expected)
    this.#precision = precision
  }

  /** Returns the number of datapoints so far. */
  addSeries(entry: unknown, i: number, cut: CutPoints | undefined): number {
    const path = `series[${i}]`
    if (!isRecord(entry)) this.#fault(path, 'must be an object')
    else {
      const series = this.#seriesOf(entry, path)
      const { points } = entry
      if (!Array.isArray(points)) this.#fault(`${path}.points`, 'must be an array of [ts, value]')
      else if (series !== undefined && cut) this.#addCut(cut, i, series)
      else if (series !== undefined) this.#addPoints(points, series, path)
    }
    return this.body.length
  }

  /** The `i`-th array of points; they are right, as the others would not have been cut. */
  #addCut(cut: CutPoints, i: number, series: number): void {
    const [from, to] = [cut.ends[i - 1] ?? 0, cut.ends[i]!]
    if (this.#precision !== 'ms') {
      for (let k = from; k < to; k += 1) cut.ts[k] = parseTimestamp(cut.ts[k], this.#precision)!
    }
    this.body.addRun(series, cut, from, to)
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
    if (value === null) this.nulls.push(this.body.length)
    this.body.add(series, ts, value ?? 0)
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
