import { MAX_NAME_LENGTH } from './name.ts'
import { DEFAULT_DEVICE, seriesSuffix } from './series-naming.ts'

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
/** As each adds `,` and `=` to it, no name can hold so many. */
export const TOO_MANY_ATTRIBUTES = MAX_NAME_LENGTH / 2
/** Nor a list of so many, as each adds a `,`. */
export const TOO_MANY_ELEMENTS = MAX_NAME_LENGTH

const DEVICE_ATTRIBUTES = ['device.id', 'service.instance.id', 'host.name']

export const mayNameDevice = (key: string): boolean => DEVICE_ATTRIBUTES.includes(key)

/** The device that a resource with these attributes is. */
export const deviceOf = (attributes: Map<string, string>): string =>
  DEVICE_ATTRIBUTES.map((key) => attributes.get(key)).find(Boolean) ?? DEFAULT_DEVICE

/** What follows a metric's name, as datapoints with other attributes are other series. undefined: too much. */
export const suffixOf = (attributes: Attribute[]): string | undefined =>
  attributes.length < TOO_MANY_ATTRIBUTES ? seriesSuffix(attributes) : undefined

/** Text as it is, lists as JSON, nothing as nothing. */
export function textOf(value: AttributeValue): string {
  if (typeof value === 'string') return value
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
