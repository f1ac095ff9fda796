import { deflateSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { anyJson, nearlyBatch } from './json-text.ts'
import { nearlyLines } from './line-text.ts'
import { nearlyOtlpJson, otlpProtobuf } from './otlp-body.ts'

/** How a body is made: small enough to print, and to shrink, where the body itself may have megabytes. */
export interface Recipe {
  content:
    | { kind: 'text'; text: string }
    | { kind: 'bytes'; bytes: Uint8Array }
    | { kind: 'repeated'; head: string; item: string; count: number; tail: string }
  edits: Edit[]
  wrap: Wrap
}

interface Edit {
  do: 'flip' | 'insert' | 'delete' | 'repeat' | 'cut'
  /** Where, from 0 to 1. */
  at: number
  length: number
  bytes: Uint8Array
}

/** Somewhat beyond what a body may have when it is inflated, and far beyond. */
const MAX_REPEATED_BYTES = 18 * 1024 * 1024
const MAX_BOMB_BYTES = 128 * 1024 * 1024

/** What is done to the bytes last. */
const WRAPS = [
  ...(['none', 'gzip', 'gzip cut', 'gzip spoilt', 'gzip twice', 'two members', 'zlib'] as const),
  ...(['no gzip', 'bomb'] as const),
]
type Wrap = (typeof WRAPS)[number]

export interface FuzzBody {
  bytes: Uint8Array<ArrayBuffer>
  /** Whether it is said to be gzip. */
  gzip: boolean
}

/** Texts that look into everything a decoder might do once too often; `#` is the number of the item. */
const REPEATED: [head: string, item: string, tail: string][] = [
  ...['[]', '{}', '""', '0', 'null', '[0,0]', '{"a":[]}', '"#"', '1e400'].flatMap(
    (item): [string, string, string][] => [
      ['[', `${item},`, '0]'],
      ['{"series":[', `${item},`, '{}]}'],
      ['{"series":[{"device":"d","metric":"m","points":[', `${item},`, '[1,2]]}]}'],
      ['{"series":[],"unknown":[', `${item},`, '0]}'],
    ],
  ),
  ['{"datapoints":[', '{"device":"d#","metric":"m","ts":1767225600000,"value":#},', '{}]}'],
  [
    '{"series":[',
    '{"device":"d#","metric":"m","points":[]},',
    '{"device":"d","metric":"m","points":[[1,2]]}]}',
  ],
  ['{"series":[{"device":"d","metric":"m","points":[', '[#,1],', '[1,2]]}]}'],
  ['{"series":[],', '"#":1,', '"a":1}'],
  ['{', '"series":[],', '"series":[]}'],
  ['{"resourceMetrics":[', '{"scopeMetrics":[]},', '{}]}'],
  [
    '{"resourceMetrics":[{"scopeMetrics":[{"metrics":[',
    '{"name":"m","gauge":{"dataPoints":[{}]}},',
    '{}]}]}]}',
  ],
  ['{"resourceMetrics":[{"resource":{"attributes":[', '{"key":"k#","value":{"intValue":#}},', '{}]}}]}'],
  ['{"resourceMetrics":[{"resource":{"attributes":[{"value":', '{"arrayValue":{"values":[', ''],
  ['', '\n\u0000', ''], // in protobuf: an empty resource
  ['{"batch_id":"', 'x', '","series":[]}'],
  ['{"series":[{"device":"', '\\ud800', '","metric":"m","points":[[1,2]]}]}'],
  ['{"series":[{"device":"', '😀', '","metric":"m","points":[[1,2]]}]}'],
  ['', '[', ''],
  ['', '{"":', ''],
  ['{"series":', '[', ''],
  ['{"series":[{"points":', '[[', ''],
  ...['m', 'm ', 'm,', 'm a="', 'm,a=b a=1,', ''].flatMap((head): [string, string, string][] =>
    [
      ',',
      '=',
      ' ',
      '\\',
      '"',
      '\n',
      '#',
      '\r',
      'x',
      '\\ ',
      ',a#=b',
      'a#=1,',
      'm,host=h# t=1\n',
      'm a="\n',
      '\\"',
    ].map((item) => [head, item, ' t=1 1767225600000']),
  ),
]

const repeated = fc
  .record({
    text: fc.constantFrom(...REPEATED),
    // Mostly more than a small buffer, at times more than a body may have.
    count: fc.oneof(
      { weight: 20, arbitrary: fc.nat(2_000) },
      { weight: 2, arbitrary: fc.nat(60_000) },
      { weight: 1, arbitrary: fc.nat(6_000_000) },
    ),
  })
  .map(({ text: [head, item, tail], count }) => ({ kind: 'repeated' as const, head, item, count, tail }))

/** Bytes that are not UTF-8 (a surrogate, an overlong slash, a lone head and tail), a byte order mark, a zero. */
const ODD_BYTES = [[0xed, 0xa0, 0x80], [0xc0, 0xaf], [0xf0, 0x9f], [0x80], [0xef, 0xbb, 0xbf], [0]].map(
  (bytes) => Uint8Array.from(bytes),
)

const edit: fc.Arbitrary<Edit> = fc.record({
  do: fc.constantFrom('flip', 'insert', 'delete', 'repeat', 'cut'),
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  length: fc.integer({ min: 1, max: 40 }),
  bytes: fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 4 }), fc.constantFrom(...ODD_BYTES)),
})

/** Bodies of every kind: sound and spoilt batches of each protocol, noise, and what takes much time or memory. */
export function recipes(now: number): fc.Arbitrary<Recipe> {
  const text = (arbitrary: fc.Arbitrary<string>) =>
    arbitrary.map((each) => ({ kind: 'text' as const, text: each }))
  const bytes = (arbitrary: fc.Arbitrary<Uint8Array>) =>
    arbitrary.map((each) => ({ kind: 'bytes' as const, bytes: each }))
  return fc.record({
    content: fc.oneof(
      { weight: 8, arbitrary: text(nearlyBatch(now)) },
      { weight: 4, arbitrary: text(nearlyLines(now)) },
      { weight: 3, arbitrary: text(nearlyOtlpJson(now)) },
      { weight: 3, arbitrary: bytes(otlpProtobuf(now)) },
      { weight: 3, arbitrary: text(anyJson) },
      { weight: 1, arbitrary: text(fc.string({ unit: 'binary', maxLength: 200 })) },
      { weight: 1, arbitrary: bytes(fc.uint8Array({ maxLength: 300 })) },
      { weight: 3, arbitrary: repeated },
    ),
    edits: fc.oneof(
      { weight: 2, arbitrary: fc.constant<Edit[]>([]) },
      { weight: 1, arbitrary: fc.array(edit, { maxLength: 3 }) },
    ),
    wrap: fc.oneof(
      { weight: 3, arbitrary: fc.constant('none' as const) },
      { weight: 1, arbitrary: fc.constantFrom(...WRAPS) },
    ),
  })
}

/** The body of a recipe: always the same one. */
export function bodyOf({ content, edits, wrap }: Recipe): FuzzBody {
  const plain = edits.reduce(applyEdit, bytesOf(content))
  return { bytes: Uint8Array.from(WRAPPERS[wrap](plain)), gzip: wrap !== 'none' }
}

function bytesOf(content: Recipe['content']): Uint8Array {
  if (content.kind === 'bytes') return content.bytes
  if (content.kind === 'text') return new TextEncoder().encode(content.text)
  const { head, item, count, tail } = content
  const items = item.includes('#')
    ? Array.from({ length: Math.min(count, 1_000_000) }, (_, i) => item.replaceAll('#', String(i))).join('')
    : item.repeat(Math.min(count, MAX_REPEATED_BYTES / item.length))
  return new TextEncoder().encode(head + items + tail)
}

function applyEdit(bytes: Uint8Array, edit: Edit): Uint8Array {
  const from = Math.min(bytes.length, Math.floor(edit.at * (bytes.length + 1)))
  const to = Math.min(bytes.length, from + edit.length)
  const [before, middle, after] = [bytes.subarray(0, from), bytes.subarray(from, to), bytes.subarray(to)]
  if (edit.do === 'cut') return before
  if (edit.do === 'delete') return Buffer.concat([before, after])
  if (edit.do === 'insert') return Buffer.concat([before, edit.bytes, middle, after])
  if (edit.do === 'repeat') return Buffer.concat([before, middle, middle, after])
  return Buffer.concat([before, middle.map((byte) => byte ^ edit.bytes[0]!), after])
}

let bomb: Uint8Array | undefined

const WRAPPERS: Record<Wrap, (plain: Uint8Array) => Uint8Array> = {
  none: (plain) => plain,
  'no gzip': (plain) => plain,
  gzip: (plain) => gzipSync(plain),
  'gzip cut': (plain) => gzipSync(plain).subarray(0, -9),
  'gzip spoilt': (plain) =>
    gzipSync(plain).map((byte, i, all) => (i === all.length >> 1 ? byte ^ 0x55 : byte)),
  'gzip twice': (plain) => gzipSync(gzipSync(plain)),
  'two members': (plain) => Buffer.concat([gzipSync(plain), gzipSync(plain)]),
  zlib: (plain) => deflateSync(plain),
  bomb: () => {
    bomb ??= gzipSync(Buffer.alloc(MAX_BOMB_BYTES))
    return bomb
  },
}
