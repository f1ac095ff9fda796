import { ByteMemo } from './byte-memo.ts'
import { type Attribute, deviceOf, mayNameDevice } from './otlp-attributes.ts'
import { type DataKind, isNumeric, OtlpBatch, unsetSumOf } from './otlp-batch.ts'
import { readAttribute } from './otlp-protobuf-values.ts'
import type { ParsedBatch } from './parsed-batch.ts'
import { FIXED_64, fieldSet, LENGTH_DELIMITED, ProtobufScanner, tagOf, VARINT } from './protobuf-scanner.ts'
import { seriesSuffix, TOO_MANY_TAGS } from './series-naming.ts'

/**
 * Parses an `ExportMetricsServiceRequest` of OTLP/HTTP in protobuf; OtlpBatch tells what becomes of it. Throws a
 * BatchRefusal where the bytes are none. O(bytes), without an object a datapoint but for its attributes.
 */
export function parseOtlpProtobuf(bytes: Uint8Array, receivedAt: number): ParsedBatch {
  const scanner = new ProtobufScanner(bytes)
  try {
    return new OtlpProtobufReader(bytes, scanner, receivedAt).read()
  } catch (error) {
    if (error instanceof RangeError) throw scanner.malformed('the bytes end too early')
    if (error instanceof Error && error.message === 'invalid varint') throw scanner.malformed(error.message)
    throw error
  }
}

/** Where datapoints of a kind hold what all kinds have, and what else they have. */
interface PointLayout {
  kind: DataKind
  isNumeric: boolean
  unsetSum: number | undefined
  attribute: number
  flags: number
  known: number
}

const layoutOf = (kind: DataKind, attributes: number, flags: number): PointLayout => ({
  kind,
  isNumeric: isNumeric(kind),
  unsetSum: unsetSumOf(kind),
  attribute: tagOf(attributes, LENGTH_DELIMITED),
  flags: tagOf(flags, VARINT),
  known: fieldSet(attributes, flags, 3, 4, isNumeric(kind) ? 6 : 5),
})

/*
 * Numbers of fields, as in opentelemetry/proto/{collector/metrics,metrics,resource,common}/v1. Those of messages that
 * only hold other messages stand where they are read.
 */
const [NAME, UNIT] = [1, 3]
/** By the field of a metric that holds its data. */
const LAYOUTS: Record<number, PointLayout> = {
  5: layoutOf('gauge', 7, 8),
  7: layoutOf('sum', 7, 8),
  9: layoutOf('histogram', 9, 10),
  10: layoutOf('exponentialHistogram', 1, 10),
  11: layoutOf('summary', 7, 8),
}
const METRIC_FIELDS = fieldSet(NAME, UNIT, ...Object.keys(LAYOUTS).map(Number))

const TIME = tagOf(3, FIXED_64)
const [AS_DOUBLE, AS_INT] = [tagOf(4, FIXED_64), tagOf(6, FIXED_64)]
const [COUNT, SUM] = [tagOf(4, FIXED_64), tagOf(5, FIXED_64)]
const UINT_32 = 2 ** 32

class OtlpProtobufReader {
  readonly #scanner: ProtobufScanner
  readonly #batch: OtlpBatch
  readonly #suffixes: ByteMemo<string | undefined>

  constructor(bytes: Uint8Array, scanner: ProtobufScanner, receivedAt: number) {
    this.#scanner = scanner
    this.#batch = new OtlpBatch(receivedAt)
    this.#suffixes = new ByteMemo(bytes, (from, to) => this.#readSuffix(from, to))
  }

  read(): ParsedBatch {
    const scanner = this.#scanner
    let resources = 0
    scanner.walk(scanner.end, fieldSet(1), (_, end) => {
      this.#readResource(scanner.enter(end), `resourceMetrics[${resources}]`)
      resources += 1
    })
    return this.#batch.batch()
  }

  /** In two passes, as fields may come in any order. */
  #readResource(end: number, path: string): void {
    const scanner = this.#scanner
    const start = scanner.reader.pos
    const attributes = new Map<string, string>()
    scanner.walk(end, fieldSet(1), () => this.#readDevice(scanner.enter(end), attributes))
    const device = deviceOf(attributes)
    scanner.reader.pos = start
    let scopes = 0
    scanner.walk(end, fieldSet(2), () => {
      this.#readScope(scanner.enter(end), `${path}.scopeMetrics[${scopes}]`, device)
      scopes += 1
    })
  }

  /** Keeps nothing else of a resource's attributes: there may be any number. */
  #readDevice(end: number, attributes: Map<string, string>): void {
    const scanner = this.#scanner
    scanner.walk(end, fieldSet(1), () => {
      const [key, text] = readAttribute(scanner, scanner.enter(end))
      if (mayNameDevice(key)) attributes.set(key, text)
    })
  }

  #readScope(end: number, path: string, device: string): void {
    const scanner = this.#scanner
    let metrics = 0
    scanner.walk(end, fieldSet(2), () => {
      this.#readMetric(scanner.enter(end), `${path}.metrics[${metrics}]`, device)
      metrics += 1
    })
  }

  /** In two passes, too. Of several kinds of data, which it must not have, the last one counts. */
  #readMetric(end: number, path: string, device: string): void {
    const scanner = this.#scanner
    const { reader } = scanner
    const start = reader.pos
    let [name, unit, data] = ['', '', 0]
    scanner.walk(end, METRIC_FIELDS, (field) => {
      if (field === NAME) name = reader.string()
      else if (field === UNIT) unit = reader.string()
      else {
        data = field
        reader.pos = scanner.enter(end)
      }
    })
    const layout = LAYOUTS[data]
    if (layout === undefined) return
    this.#batch.startMetric({ device, name, unit: unit || null, path: `${path}.${layout.kind}` })
    reader.pos = start
    scanner.walk(end, fieldSet(data), () => this.#readPoints(scanner.enter(end), layout))
  }

  #readPoints(end: number, layout: PointLayout): void {
    const scanner = this.#scanner
    scanner.walk(end, fieldSet(1), () => this.#readPoint(scanner.enter(end), layout))
  }

  #readPoint(end: number, layout: PointLayout): void {
    const scanner = this.#scanner
    const { reader } = scanner
    let [low, high, flags, count, attributesFrom, attributesTo] = [0, 0, 0, 0, end, end]
    let value: number | undefined
    let sum = layout.unsetSum
    while (reader.pos < end) {
      const at = reader.pos
      const tag = reader.uint32()
      if (tag === layout.attribute) {
        if (attributesFrom === end) attributesFrom = at
        reader.pos = attributesTo = scanner.enter(end)
      } else if (tag === TIME) {
        low = reader.fixed32()
        high = reader.fixed32()
      } else if (tag === AS_DOUBLE && layout.isNumeric) value = reader.double()
      else if (tag === AS_INT && layout.isNumeric) value = reader.fixed32() + reader.sfixed32() * UINT_32
      else if (tag === COUNT) count = reader.fixed32() + reader.fixed32() * UINT_32
      else if (tag === SUM && !layout.isNumeric) sum = reader.double()
      else if (tag === layout.flags) flags = reader.uint32()
      else scanner.skip(tag, layout.known)
    }
    scanner.leave(end)
    const suffix = attributesFrom === end ? '' : this.#suffixes.of(attributesFrom, attributesTo)
    this.#batch.startPoint(suffix, unixMs(low, high), flags)
    if (layout.isNumeric) this.#batch.addNumber(value)
    else this.#batch.addDistribution(count, sum)
    reader.pos = end
  }

  /** Of the attributes among the fields from `from` to `to` of a datapoint: the first of them is one. */
  #readSuffix(from: number, to: number): string | undefined {
    const scanner = this.#scanner
    const { reader } = scanner
    const attributes: Attribute[] = []
    reader.pos = from
    const attribute = reader.uint32()
    reader.pos = from
    while (reader.pos < to) {
      const tag = reader.uint32()
      if (tag !== attribute) scanner.skip(tag, 0)
      else if (attributes.length === TOO_MANY_TAGS) return undefined
      else attributes.push(readAttribute(scanner, scanner.enter(to)))
    }
    return seriesSuffix(attributes)
  }
}

/**
 * Epoch ms, floored, of ns in two halves, in steps that a double holds exactly; null for 0, which says that the
 * time is unknown.
 */
function unixMs(low: number, high: number): number | null {
  if (low === 0 && high === 0) return null
  // 2^32 ns are 4,294 ms and 967,296 ns.
  return high * 4_294 + Math.floor((high * 967_296 + low) / 1e6)
}
