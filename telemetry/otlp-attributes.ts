import { MAX_NAME_LENGTH, MAX_NAME_UNITS } from './name.ts'
import { DEFAULT_DEVICE } from './series-naming.ts'

/** What an `AnyValue` of OTLP holds; null: nothing. */
export type AttributeValue =
  | string
  | number
  | boolean
  | null
  | AttributeValue[]
  | { [key: string]: AttributeValue }

/** A key, and the text that stands for its value in names. */
export type Attribute = [key: string, text: string]

/** How deep values may nest in each other; clients nest once. */
export const MAX_ATTRIBUTE_DEPTH = 16
/** As each adds a `,` or a bracket to it, no name can hold the text of lists that have more elements together. */
const MAX_ELEMENTS = MAX_NAME_LENGTH
const TOO_LONG = ' '.repeat(MAX_NAME_UNITS + 1)

const DEVICE_ATTRIBUTES = ['device.id', 'service.instance.id', 'host.name']

export const mayNameDevice = (key: string): boolean => DEVICE_ATTRIBUTES.includes(key)

/** The device that a resource with these attributes is. */
export const deviceOf = (attributes: Map<string, string>): string =>
  DEVICE_ATTRIBUTES.map((key) => attributes.get(key)).find(Boolean) ?? DEFAULT_DEVICE

/**
 * Counts the elements of an attribute's lists, at every depth. Those that no name can hold are read and not kept:
 * an empty list is four bytes of protobuf, and ten times as many in memory.
 */
export class ElementCount {
  #elements = 0

  get tooMany(): boolean {
    return this.#elements > MAX_ELEMENTS
  }

  /** Whether the element that was read is to be kept. */
  keepsNext(): boolean {
    this.#elements += 1
    return !this.tooMany
  }
}

/** A text that is too long for a name only as far as it takes to tell. */
export const shortened = (text: string): string =>
  text.length > MAX_NAME_UNITS ? text.slice(0, MAX_NAME_UNITS + 1) : text

/** Text as it is, lists as JSON, nothing as nothing; of too many elements one that no name can hold. */
export function textOf(value: AttributeValue, elements: ElementCount): string {
  if (typeof value === 'string') return value
  if (elements.tooMany) return TOO_LONG
  return value === null ? '' : JSON.stringify(value)
}

/** An integer from its decimal digits: as text where a number would lose some, as they tell series apart. */
export function integerValue(digits: string): AttributeValue {
  const number = Number(digits)
  return Number.isSafeInteger(number) ? number : BigInt(digits).toString()
}

/** JSON has no other way to say that a number is not finite. */
export const doubleValue = (number: number): AttributeValue =>
  Number.isFinite(number) ? number : String(number)
