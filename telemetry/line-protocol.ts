import { BodyBuilder } from './body-builder.ts'
import { type LineHead, parseHead, unescapeName } from './line-protocol-head.ts'
import { LineScanner } from './line-scanner.ts'
import { isDecodedName, MAX_NAME_UNITS } from './name.ts'
import type { ParsedBatch } from './parsed-batch.ts'
import type { Rejection, RejectionCode } from './rejection.ts'
import { type Precision, parseTimestamp } from './timestamp.ts'

export interface LineProtocolOptions {
  precision: Precision
  /** The tag that names the device; undefined: `device`, else `host`. */
  deviceTag: string | undefined
  /** Epoch ms: the timestamp of lines that have none. */
  receivedAt: number
}

/**
 * Parses a body of InfluxDB v2 line protocol, one datapoint a field:
 *
 *     measurement,device=pump-7,site=north temperature=71.3,running=t 1767225600000000000
 *
 * The device is the value of the device tag, or `default` on a line without it, so that clients that set no
 * such tag lose nothing. The metric is `measurement.field`. All other tags belong to the identity of a series
 * in InfluxDB (`cpu=cpu0` and `cpu=cpu1` are two), so they follow in the metric's name, sorted by tag, with `,`
 * and `=` inside them escaped as in the protocol: `measurement.temperature,site=north`. Integers (`1i`, `1u`)
 * are numbers, booleans 0 and 1.
 *
 * One bad field or line takes no other with it, as senders drop a refused body whole: a field that is text or
 * no finite number, a name out of bounds (bytes that are not UTF-8 included) and a line that cannot be read
 * (which counts as one datapoint) are `unstorable`. Throws a BatchRefusal beyond 50,000 datapoints and nothing
 * else. O(characters).
 */
export function parseLineProtocol(text: string, options: LineProtocolOptions): ParsedBatch {
  return new LineParser(text, options).batch()
}

/** What is known of a series key that has been seen: its fields, by their raw keys. */
interface KnownHead {
  head: LineHead
  /** The index of the field's series; undefined where its name is out of bounds. */
  fields: Map<string, number | undefined>
}

const NUMBER = /^(?:-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|-?\d+i|\d+u)$/
const TRUE = /^(?:t|T|true|True|TRUE)$/
const FALSE = /^(?:f|F|false|False|FALSE)$/
const TIMESTAMP = /^-?\d{1,20}$/

class LineParser {
  readonly #scanner: LineScanner
  readonly #options: LineProtocolOptions
  readonly #heads = new Map<string, KnownHead | undefined>()
  readonly #indexOf = new Map<string, number>()
  readonly #body = new BodyBuilder()
  readonly #unstorable: Rejection[] = []
  /** The line of each datapoint, from 1. */
  readonly #lineOf: number[] = []
  #timedByArrival = false

  constructor(text: string, options: LineProtocolOptions) {
    this.#scanner = new LineScanner(text)
    this.#options = options
  }

  #parseLine(): void {
    const scanner = this.#scanner
    const { line } = scanner
    const [first, rejected] = [this.#body.length, this.#unstorable.length]
    scanner.skipBlanks()
    if (!scanner.endsLine && scanner.next !== '#' && !this.#parsePoint(line)) {
      this.#body.truncate(first)
      this.#lineOf.length = first
      this.#unstorable.length = rejected
      this.#add(line, 'malformed', 0)
    }
    scanner.skipLine()
  }

  batch(): ParsedBatch {
    while (!this.#scanner.ended) this.#parseLine()
    const lineOf = this.#lineOf
    return {
      ...{ ...this.#body.body(), batchId: undefined, source: undefined, nulls: [] },
      ...{ unstorable: this.#unstorable, timedByArrival: this.#timedByArrival },
      pathOf: (ordinal) => `line ${lineOf[ordinal]}, field ${ordinal - lineOf.indexOf(lineOf[ordinal]!) + 1}`,
    }
  }

  #parsePoint(line: number): boolean {
    const scanner = this.#scanner
    const first = this.#body.length
    const known = this.#knownHead(scanner.takeUntil(' '))
    if (known === undefined) return false
    scanner.skipBlanks()
    do {
      if (!this.#parseField(known, line)) return false
    } while (scanner.take(','))
    const spaced = scanner.skipBlanks()
    const digits = scanner.takeUntil(' \t\r')
    scanner.skipBlanks()
    const readable = scanner.endsLine && (digits === '' || (spaced && TIMESTAMP.test(digits)))
    if (readable) this.#setTimestamps(first, digits)
    return readable
  }

  #parseField({ head, fields }: KnownHead, line: number): boolean {
    const scanner = this.#scanner
    const key = scanner.takeUntil('=, ')
    if (key === '' || !scanner.take('=')) return false
    const isText = scanner.next === '"'
    const raw = isText ? '' : scanner.takeUntil(', \t\r')
    if (isText ? !scanner.skipText() : raw === '') return false
    const value = isText ? undefined : numberOf(raw)
    if (value === undefined) this.#add(line, 'not_numeric', 0)
    else {
      if (!fields.has(key)) fields.set(key, this.#seriesOf(head, key))
      this.#add(line, fields.get(key) ?? 'invalid_name', value)
    }
    return true
  }

  #setTimestamps(first: number, digits: string): void {
    const { precision, receivedAt } = this.#options
    if (digits === '') this.#timedByArrival = true
    const ts = digits === '' ? receivedAt : parseTimestamp(digits, precision)!
    this.#body.setTimestamps(first, ts)
  }

  /** `series` or the reason why there is none. */
  #add(line: number, series: number | RejectionCode, value: number): void {
    if (typeof series === 'string') this.#unstorable.push({ ordinal: this.#body.length, code: series })
    this.#body.add(typeof series === 'number' ? series : 0, 0, value)
    this.#lineOf.push(line)
  }

  #knownHead(raw: string): KnownHead | undefined {
    if (this.#heads.has(raw)) return this.#heads.get(raw)
    const head = parseHead(raw, this.#options.deviceTag)
    const known = head && { head, fields: new Map<string, number | undefined>() }
    this.#heads.set(raw, known)
    return known
  }

  #seriesOf({ device, measurement, suffix }: LineHead, rawKey: string): number | undefined {
    if (rawKey.length > 2 * MAX_NAME_UNITS) return undefined // also when every character is an escaped one
    const metric = `${measurement}.${unescapeName(rawKey)}${suffix}`
    if (!isDecodedName(device) || !isDecodedName(metric)) return undefined
    const key = `${device}\0${metric}`
    const known = this.#indexOf.get(key)
    if (known !== undefined) return known
    const index = this.#body.names.push({ device, metric, unit: null }) - 1
    this.#indexOf.set(key, index)
    return index
  }
}

function numberOf(raw: string): number | undefined {
  if (TRUE.test(raw)) return 1
  if (FALSE.test(raw)) return 0
  if (!NUMBER.test(raw)) return undefined
  const value = Number(raw.replace(/[iu]$/, ''))
  return Number.isFinite(value) ? value : undefined
}
