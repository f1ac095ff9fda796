import { base64Encode } from '@bufbuild/protobuf/wire'
import {
  type Attribute,
  type AttributeValue,
  doubleValue,
  integerValue,
  MAX_ATTRIBUTE_DEPTH,
  TOO_MANY_ELEMENTS,
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
  const [key, value] = readKeyValue(scanner, end, 0)
  return [key, textOf(value)]
}

function readKeyValue(scanner: ProtobufScanner, end: number, depth: number): [string, AttributeValue] {
  let key = ''
  let value: AttributeValue = null
  scanner.walk(end, fieldSet(1, 2), (field) => {
    if (field === 1) key = scanner.reader.string()
    else value = readAnyValue(scanner, scanner.enter(end), depth)
  })
  return [key, value]
}

function readAnyValue(scanner: ProtobufScanner, end: number, depth: number): AttributeValue {
  const { reader } = scanner
  if (depth > MAX_ATTRIBUTE_DEPTH) throw scanner.malformed('values nest too deep')
  const readElement = (own: number) => readAnyValue(scanner, own, depth + 1)
  const readEntry = (own: number) => readKeyValue(scanner, own, depth + 1)
  let value: AttributeValue = null
  while (reader.pos < end) {
    const tag = reader.uint32()
    if (tag === STRING_VALUE) value = reader.string()
    else if (tag === INT_VALUE) value = integerValue(String(reader.int64()))
    else if (tag === BOOL_VALUE) value = reader.bool()
    else if (tag === DOUBLE_VALUE) value = doubleValue(reader.double())
    else if (tag === BYTES_VALUE) value = base64Encode(reader.bytes())
    else if (tag === ARRAY_VALUE) value = readList(scanner, scanner.enter(end), readElement)
    else if (tag === KVLIST_VALUE)
      value = Object.fromEntries(readList(scanner, scanner.enter(end), readEntry))
    else scanner.skip(tag, VALUE_FIELDS)
  }
  scanner.leave(end)
  return value
}

/** The elements of the `ArrayValue` or `KeyValueList` that ends at `end`, or as many as are too many. */
function readList<T>(scanner: ProtobufScanner, end: number, read: (end: number) => T): T[] {
  const list: T[] = []
  scanner.walk(end, fieldSet(1), () => {
    const element = read(scanner.enter(end))
    if (list.length < TOO_MANY_ELEMENTS) list.push(element)
  })
  return list
}
