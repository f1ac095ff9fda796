import {
  type Attribute,
  type AttributeValue,
  doubleValue,
  ElementCount,
  integerValue,
  MAX_ATTRIBUTE_DEPTH,
  shortened,
  textOf,
} from './otlp-attributes.ts'
import { parseTimestamp } from './timestamp.ts'

/*
 * Values as protobuf writes them in JSON: what is left out or null is unset, 64-bit integers are text or numbers,
 * doubles are numbers, text, or names where they are not finite. All return undefined for what is none.
 */

const INTEGER = /^-?\d{1,20}$/
const DOUBLE = /^-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/
const NOT_FINITE = ['NaN', 'Infinity', '-Infinity']

export const isSet = (value: unknown): boolean => value !== undefined && value !== null

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export function readInteger(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isInteger(value) ? value : undefined
  return typeof value === 'string' && INTEGER.test(value) ? Number(value) : undefined
}

export function readUnsigned(value: unknown): number | undefined {
  const number = readInteger(value)
  return number !== undefined && number >= 0 ? number : undefined
}

export function readDouble(value: unknown): number | undefined {
  if (typeof value === 'number') return value
  if (typeof value !== 'string') return undefined
  return DOUBLE.test(value) || NOT_FINITE.includes(value) ? Number(value) : undefined
}

/** Epoch ms, floored, of a time in ns; null for 0, which says that it is unknown. */
export function readUnixNano(value: unknown): number | null | undefined {
  if (value === 0) return null
  if (typeof value === 'number') return value > 0 ? parseTimestamp(value, 'ns') : undefined
  return typeof value === 'string' && value !== '' && value.length <= 20 ? nanoDigits(value) : undefined
}

/** In one go, as every datapoint has one. */
function nanoDigits(text: string): number | null | undefined {
  const end = text.length - 6
  let [ms, rest] = [0, 0]
  for (let i = 0; i < text.length; i += 1) {
    const digit = text.charCodeAt(i) - 48
    if (!(digit >= 0 && digit <= 9)) return undefined
    if (i < end) ms = ms * 10 + digit
    else rest += digit
  }
  return ms === 0 && rest === 0 ? null : ms
}

/** A `KeyValue`. */
export function readAttribute(entry: unknown): Attribute | undefined {
  const elements = new ElementCount()
  const [key, value] = readKeyValue(entry, 0, elements) ?? []
  return key === undefined || value === undefined ? undefined : [key, textOf(value, elements)]
}

function readKeyValue(
  entry: unknown,
  depth: number,
  elements: ElementCount,
): [string, AttributeValue] | undefined {
  if (!isRecord(entry)) return undefined
  const key = entry['key'] ?? ''
  const value = readAnyValue(entry['value'], depth, elements)
  return typeof key === 'string' && value !== undefined ? [shortened(key), value] : undefined
}

function readAnyValue(any: unknown, depth: number, elements: ElementCount): AttributeValue | undefined {
  if (!isSet(any)) return null
  if (!isRecord(any) || depth > MAX_ATTRIBUTE_DEPTH) return undefined
  const { stringValue } = any
  if (typeof stringValue === 'string') return shortened(stringValue) // as nearly all are
  const { boolValue, intValue, doubleValue: double, bytesValue, arrayValue, kvlistValue } = any
  if (isSet(stringValue)) return undefined
  if (isSet(bytesValue)) return typeof bytesValue === 'string' ? shortened(bytesValue) : undefined
  if (isSet(boolValue)) return typeof boolValue === 'boolean' ? boolValue : undefined
  if (isSet(intValue)) return readIntegerValue(intValue)
  if (isSet(double)) return readDoubleValue(double)
  if (isSet(arrayValue))
    return readList(arrayValue, elements, (element) => readAnyValue(element, depth + 1, elements))
  if (!isSet(kvlistValue)) return null
  const entries = readList(kvlistValue, elements, (element) => readKeyValue(element, depth + 1, elements))
  return entries && Object.fromEntries(entries)
}

function readIntegerValue(value: unknown): AttributeValue | undefined {
  const number = readInteger(value)
  return typeof value === 'string' && number !== undefined ? integerValue(value) : number
}

function readDoubleValue(value: unknown): AttributeValue | undefined {
  const number = readDouble(value)
  return number === undefined ? undefined : doubleValue(number)
}

/** The `values` of an `ArrayValue` or `KeyValueList`, as far as they count. */
function readList<T>(
  list: unknown,
  elements: ElementCount,
  read: (element: unknown) => T | undefined,
): T[] | undefined {
  const values = isRecord(list) ? (list['values'] ?? []) : undefined
  if (!Array.isArray(values)) return undefined
  const kept: T[] = []
  for (const value of values) {
    const element = read(value)
    if (element === undefined) return undefined
    if (elements.keepsNext()) kept.push(element)
  }
  return kept
}
