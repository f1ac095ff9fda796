import { BatchRefusal, type Fault, MAX_FAULTS } from './batch-refusal.ts'
import { parseJson } from './json-batch.ts'
import { type Attribute, deviceOf } from './otlp-attributes.ts'
import { DATA_KINDS, type DataKind, isNumeric, OtlpBatch, unsetSumOf } from './otlp-batch.ts'
import {
  isRecord,
  isSet,
  readAttribute,
  readDouble,
  readInteger,
  readUnixNano,
  readUnsigned,
} from './otlp-json-values.ts'
import type { ParsedBatch } from './parsed-batch.ts'
import { seriesSuffix } from './series-naming.ts'

type Json = Record<string, unknown>

/**
 * Parses an `ExportMetricsServiceRequest` of OTLP/HTTP in JSON; OtlpBatch tells what becomes of it. Throws a
 * BatchRefusal with the first 20 faults where something is not of its type: such a body cannot be decoded.
 * O(bytes).
 */
export function parseOtlpJson(json: Uint8Array, receivedAt: number): ParsedBatch {
  return new OtlpJsonReader(receivedAt).read(parseJson(json))
}

interface ValueType<T> {
  read(value: unknown): T | undefined
  rule: string
}

const TIME = { read: readUnixNano, rule: 'must be a time in nanoseconds, as text or an integer' }
const DOUBLE = { read: readDouble, rule: 'must be a number' }
const INTEGER = { read: readInteger, rule: 'must be an integer, as text or a number' }
const UNSIGNED = { read: readUnsigned, rule: 'must be an integer of at least 0, as text or a number' }

class OtlpJsonReader {
  readonly #batch: OtlpBatch
  readonly #faults: Fault[] = []
  /** What values are read of: a list and an index in it, or one thing. */
  #path = ''
  #index = -1

  constructor(receivedAt: number) {
    this.#batch = new OtlpBatch(receivedAt)
  }

  read(request: unknown): ParsedBatch {
    if (isRecord(request)) {
      this.#each(request, '', 'resourceMetrics', (entry, path) => this.#readResource(entry, path))
    } else this.#fault('', 'must be a JSON object')
    if (this.#faults.length > 0) throw undecodable(this.#faults)
    return this.#batch.batch()
  }

  #readResource(entry: Json, path: string): void {
    const resource = entry['resource'] ?? {}
    if (!isRecord(resource)) {
      this.#fault(`${path}.resource`, 'must be an object')
      return
    }
    this.#path = `${path}.resource`
    this.#index = -1
    const device = deviceOf(new Map(this.#attributes(resource)))
    this.#each(entry, path, 'scopeMetrics', (scope, scopePath) => {
      this.#each(scope, scopePath, 'metrics', (metric, metricPath) => {
        this.#readMetric(metric, metricPath, device)
      })
    })
  }

  #readMetric(metric: Json, path: string, device: string): void {
    const [kind, ...others] = DATA_KINDS.filter((each) => isSet(metric[each]))
    if (kind === undefined) return
    const data = metric[kind]
    const [name, unit] = [metric['name'] ?? '', metric['unit'] ?? '']
    if (others.length > 0) this.#fault(path, 'must hold one kind of data')
    else if (typeof name !== 'string') this.#fault(`${path}.name`, 'must be a string')
    else if (typeof unit !== 'string') this.#fault(`${path}.unit`, 'must be a string')
    else if (!isRecord(data)) this.#fault(`${path}.${kind}`, 'must be an object')
    else {
      this.#batch.startMetric({ device, name, unit: unit || null, path: `${path}.${kind}` })
      this.#readPoints(data['dataPoints'] ?? [], kind, `${path}.${kind}.dataPoints`)
    }
  }

  #readPoints(points: unknown, kind: DataKind, path: string): void {
    if (!Array.isArray(points)) {
      this.#fault(path, 'must be an array')
      return
    }
    this.#path = path
    for (let i = 0; i < points.length; i += 1) {
      this.#index = i
      const point: unknown = points[i]
      if (!isRecord(point)) this.#fault(this.#at(''), 'must be an object')
      else if (isNumeric(kind)) this.#readNumber(point)
      else this.#readDistribution(point, kind)
    }
  }

  #readNumber(point: Json): void {
    this.#startPoint(point)
    const double = this.#value(point, 'asDouble', DOUBLE, undefined)
    this.#batch.addNumber(double ?? this.#value(point, 'asInt', INTEGER, undefined))
  }

  #readDistribution(point: Json, kind: DataKind): void {
    this.#startPoint(point)
    const count = this.#value(point, 'count', UNSIGNED, 0)
    this.#batch.addDistribution(count, this.#value(point, 'sum', DOUBLE, unsetSumOf(kind)))
  }

  #startPoint(point: Json): void {
    const suffix = seriesSuffix(this.#attributes(point))
    const ts = this.#value(point, 'timeUnixNano', TIME, null)
    this.#batch.startPoint(suffix, ts, this.#value(point, 'flags', UNSIGNED, 0))
  }

  /** `unset` also for what is not of its type, which is a fault. */
  #value<T>(of: Json, name: string, { read, rule }: ValueType<T>, unset: T): T {
    const given = of[name]
    if (given === undefined || given === null) return unset
    const value = read(given)
    if (value === undefined) this.#fault(this.#at(`.${name}`), rule)
    return value ?? unset
  }

  #attributes(of: Json): Attribute[] {
    const list = of['attributes'] ?? []
    if (!Array.isArray(list)) {
      this.#fault(this.#at('.attributes'), 'must be an array')
      return []
    }
    const attributes: Attribute[] = []
    for (let i = 0; i < list.length; i += 1) {
      const attribute = readAttribute(list[i])
      if (attribute === undefined) this.#fault(this.#at(`.attributes[${i}]`), 'must be a key and its value')
      else attributes.push(attribute)
    }
    return attributes
  }

  #at(end: string): string {
    return `${this.#path}${this.#index < 0 ? '' : `[${this.#index}]`}${end}`
  }

  #each(parent: Json, parentPath: string, name: string, visit: (entry: Json, path: string) => void): void {
    const list = parent[name] ?? []
    const path = parentPath === '' ? name : `${parentPath}.${name}`
    if (!Array.isArray(list)) {
      this.#fault(path, 'must be an array')
      return
    }
    list.forEach((entry: unknown, i) => {
      if (isRecord(entry)) visit(entry, `${path}[${i}]`)
      else this.#fault(`${path}[${i}]`, 'must be an object')
    })
  }

  #fault(path: string, message: string): void {
    this.#faults.push({ path, message })
    if (this.#faults.length === MAX_FAULTS) throw undecodable(this.#faults)
  }
}

const undecodable = (faults: Fault[]) =>
  new BatchRefusal(
    'validation_failed',
    'The body is no ExportMetricsServiceRequest in the JSON of OTLP; correct the sender.',
    faults,
  )
