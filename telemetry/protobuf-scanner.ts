import { BinaryReader } from '@bufbuild/protobuf/wire'
import { BatchRefusal } from './batch-refusal.ts'
import { MAX_NAME_LENGTH } from './name.ts'

/** How a value is written, as the lowest three bits of its tag say. */
export const VARINT = 0
export const FIXED_64 = 1
export const LENGTH_DELIMITED = 2
const FIXED_32 = 5

/** The tag of a field: its number and how it is written. */
export const tagOf = (field: number, wireType: number): number => (field << 3) | wireType
/** A set of field numbers, all below 32. */
export const fieldSet = (...fields: number[]): number => fields.reduce((set, field) => set | (1 << field), 0)
const has = (fields: number, field: number) => field < 32 && ((fields >>> field) & 1) === 1

/** A character of UTF-8 has up to four: what is longer cannot be a name, however it goes on. */
const MAX_TEXT_BYTES = 4 * MAX_NAME_LENGTH + 1
// A leading U+FEFF is text.
const utf8 = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true })
const decodeText = (bytes: Uint8Array) => utf8.decode(bytes.subarray(0, MAX_TEXT_BYTES))

/**
 * Reads protobuf messages from left to right. Bytes that are none give a BatchRefusal: every message, field and
 * number must end where what holds it allows. Values are read with `reader` right behind their tags; of
 * a text that is too long for a name only the beginning is.
 */
export class ProtobufScanner {
  readonly reader: BinaryReader
  /** Of the body. */
  readonly end: number

  constructor(bytes: Uint8Array) {
    this.reader = new BinaryReader(bytes, decodeText)
    this.end = bytes.length
  }

  /** Reads the length of a message within one that ends at `end`; returns where it ends. */
  enter(end: number): number {
    const length = this.reader.uint32()
    const own = this.reader.pos + length
    if (own > end) throw this.malformed('a message is longer than what holds it')
    return own
  }

  /** What was read as a message that ends at `end` must not have gone beyond it. */
  leave(end: number): void {
    if (this.reader.pos !== end) throw this.malformed('a value is longer than the message that holds it')
  }

  /**
   * Calls `visit` at the value of each of the `known` fields of the message that ends at `end`, which are all
   * length-delimited: it has to read it, a message by `enter(end)`.
   */
  walk(end: number, known: number, visit: (field: number, end: number) => void): void {
    const { reader } = this
    while (reader.pos < end) {
      const tag = reader.uint32()
      const field = tag >>> 3
      if ((tag & 7) === LENGTH_DELIMITED && has(known, field)) visit(field, end)
      else this.skip(tag, known)
    }
    this.leave(end)
  }

  /** Skips the value of a field that means nothing here. The `known` ones are not written like this. */
  skip(tag: number, known: number): void {
    const { reader } = this
    const [field, wireType] = [tag >>> 3, tag & 7]
    if (field === 0 || has(known, field)) throw this.#mistyped(tag)
    if (wireType === LENGTH_DELIMITED) {
      const length = reader.uint32()
      reader.pos += length
    } else if (wireType === FIXED_64) reader.pos += 8
    else if (wireType === VARINT) reader.uint32()
    else if (wireType === FIXED_32) reader.pos += 4
    else throw this.#mistyped(tag)
  }

  #mistyped = (tag: number) => this.malformed(`field ${tag >>> 3} is written as type ${tag & 7}`)

  malformed(what: string): BatchRefusal {
    const fault = { path: `byte ${this.reader.pos}`, message: what }
    return new BatchRefusal('validation_failed', 'The body is not valid protobuf; correct the sender.', [
      fault,
    ])
  }
}
