import { base64Encode } from '@bufbuild/protobuf/wire'
import { MAX_NAME_LENGTH } from './name.ts'
import {
  type Attribute,
  type AttributeValue,
  doubleValue,
  ElementCount,
  integerValue,
  MAX_ATTRIBUTE_DEPTH,
  textOf,
} from './otlp-attributes.ts'
import {
  FIXED_64,
  fieldSet,
  LENGTH_DELIMITED,
  type ProtobufScanner,
  tagOf,
  VARINT,
} from './protobuf-scanner.ts'

const [STRING_VALUE, BYTES_VALUE] = [tagOf(1, LENGTH_DELIMITED), tagOf(7, LENGTH_DELIMITED)]
const [BOOL_VALUE, INT_VALUE, DOUBLE_VALUE] = [tagOf(2, VARINT), tagOf(3, VARINT), tagOf(4, FIXED_64)]
const [ARRAY_VALUE, KVLIST_VALUE] = [tagOf(5, LENGTH_DELIMITED), tagOf(6, LENGTH_DELIMITED)]
const VALUE_FIELDS = fieldSet(1, 2, 3, 4, 5, 6, 7)

/** Reads the `KeyValue` that ends at `end`. */
export function readAttribute(scanner: ProtobufScanner, end: number): Attribute {
  const elements = new ElementCount()
  const [key, value] = readKeyValue(scanner, end, 0, elements)
  return [key, textOf(value, elements)]
}

function readKeyValue(
  scanner: ProtobufScanner,
  end: number,
  depth: number,
  elements: ElementCount,
): [string, AttributeValue] {
  let key = ''
  let value: AttributeValue = null
  scanner.walk(end, fieldSet(1, 2), (field) => {
    if (field === 1) key = scanner.reader.string()
    else value = readAnyValue(scanner, scanner.enter(end), depth, elements)
  })
  return [key, value]
}

function readAnyValue(
  scanner: ProtobufScanner,
  end: number,
  depth: number,
  elements: ElementCount,
): AttributeValue {
  const { reader } = scanner
  if (depth > MAX_ATTRIBUTE_DEPTH) throw scanner.malformed('values nest too deep')
  const readElement = (own: number) => readAnyValue(scanner, own, depth + 1, elements)
  const readEntry = (own: number) => readKeyValue(scanner, own, depth + 1, elements)
  const list = <T>(read: (own: number) => T) => readList(scanner, scanner.enter(end), elements, read)
  let value: AttributeValue = null
  while (reader.pos < end) {
    const tag = reader.uint32()
    if (tag === STRING_VALUE) value = reader.string()
    else if (tag === INT_VALUE) value = integerValue(String(reader.int64()))
    else if (tag === BOOL_VALUE) value = reader.bool()
    else if (tag === DOUBLE_VALUE) value = doubleValue(reader.double())
    else if (tag === BYTES_VALUE) value = base64Encode(reader.bytes().subarray(0, MAX_NAME_LENGTH))
    else if (tag === ARRAY_VALUE) value = list(readElement)
    else if (tag === KVLIST_VALUE) value = Object.fromEntries(list(readEntry))
    else scanner.skip(tag, VALUE_FIELDS)
  }
  scanner.leave(end)
  return value
}

/** The elements of the `ArrayValue` or `KeyValueList` that ends at `end`, as far as they count. */
function readList<T>(
  scanner: ProtobufScanner,
  end: number,
  elements: ElementCount,
  read: (end: number) => T,
): T[] {
  const kept: T[] = []
  scanner.walk(end, fieldSet(1), () => {
    const element = read(scanner.enter(end))
    if (elements.keepsNext()) kept.push(element)
  })
  return kept
}
