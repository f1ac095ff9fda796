import * as v from 'valibot'

export const MAX_NAME_LENGTH = 128
/** No name is longer as text, where a character is one or two code units. */
export const MAX_NAME_UNITS = 2 * MAX_NAME_LENGTH
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/

/** 1 to 128 characters (code points) of well-formed Unicode without control characters. O(1) in what is longer. */
export function isName(value: unknown): value is string {
  if (typeof value !== 'string' || value.length === 0 || value.length > MAX_NAME_UNITS) return false
  if (CONTROL.test(value) || !value.isWellFormed()) return false
  return value.length <= MAX_NAME_LENGTH || [...value].length <= MAX_NAME_LENGTH
}

/** What a decoder puts in the place of bytes that are not UTF-8. */
const NOT_UTF8 = '\ufffd'

/** A name that is all there: no byte of it was lost in decoding. */
export const isDecodedName = (text: string): boolean => isName(text) && !text.includes(NOT_UTF8)

export const NAME_RULE = `must be 1 to ${MAX_NAME_LENGTH} characters of text without control characters`

/** What a device, a metric, a unit, a rule may be called: `isName` as a schema, and as JSON Schema can say it. */
export const Name = v.pipe(
  v.string(NAME_RULE),
  v.check((text) => isName(text), NAME_RULE),
  v.metadata({ minLength: 1, maxLength: MAX_NAME_LENGTH, pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]*$' }),
)
