import fc from 'fast-check'

/** `good` nearly always, so that what is bad sits deep in something that is otherwise sound. */
export const mostly = (good: fc.Arbitrary<string>, bad: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.oneof({ weight: 60, arbitrary: good }, { weight: 1, arbitrary: bad })

const words = (text: string) => text.trim().split(/\s+/)

const NUMBERS = words(`
  0 -0 1 -1.5 1e5 1E+5 1e400 -1e400 1e-400 2e308 4.9e-324 9007199254740993 123456789012345678901234567890
  1767225600000 -1767225600000 253402300800000`)

/** Between quotes, as they stand in the text. */
const STRINGS = [
  ...words(`
    pump-7 temperature C ms ns 1767225600000 2026-01-01 2026-01-01T00:00:00Z 2026-02-30T00:00:00Z
    2026-01-01T24:00:00Z +275760-09-13T00:00:00.001Z -000001-01-01T00:00:00Z
    __proto__ constructor sha256-0 -x ../../x a/b`),
  ...['', 'x'.repeat(128), 'x'.repeat(129), '😀'.repeat(128), '😀'.repeat(129)],
  // Halves of surrogate pairs, the wrong way round and alone; a whole one.
  ...words(String.raw`\ud800 \udc00\ud800 a\udfff \ud83d\ude00`),
  // A byte order mark, no-break and zero-width characters, line separators, both spellings of é, right to left.
  ...'\ufeff \u00a0 \u200b \u2028 \u2029 \u00e9 e\u0301 \u202epmup \ufffd'.split(' '),
  ...words(String.raw`\u0000 \u001f \u007f \u0085 \ufeffpump \b\f\n\r\t \/ \\ \"`),
]

const KEYS = words(`
  series datapoints points device metric unit ts value precision batch_id source resourceMetrics attributes
  __proto__ constructor prototype toString hasOwnProperty length then toJSON 0 ""`)

/** What stands where a value should be and is none. */
const BROKEN = [
  ...words('NaN Infinity -Infinity 0x10 01 .5 1. +1 1_000 --1 1e undefined \u0661 [ ] { } , :'),
  ...['', '"\u0001"', '"\n"', String.raw`"\x41"`, String.raw`"\u12"`, String.raw`"\"`, '"""'],
]

const number = fc.oneof(
  fc.constantFrom(...NUMBERS),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }).map(String),
)
const quote = (text: string) => `"${text}"`
const string = fc.oneof(
  fc.constantFrom(...STRINGS).map(quote),
  fc.string({ unit: 'binary', maxLength: 20 }).map((text) => JSON.stringify(text)),
)
const key = fc
  .oneof(fc.constantFrom(...KEYS), fc.string({ maxLength: 5 }))
  .map((text) => JSON.stringify(text))

/** JSON texts of any shape, most of them valid, keys repeated and prototypes named. */
export const anyJson: fc.Arbitrary<string> = fc.letrec<{ value: string }>((tie) => ({
  value: mostly(
    fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constantFrom('null', 'true', 'false'),
      number,
      string,
      fc.array(tie('value'), { maxLength: 6 }).map((items) => `[${items.join(',')}]`),
      fc
        .array(fc.tuple(key, tie('value')), { maxLength: 6 })
        .map((entries) => `{${entries.map((entry) => entry.join(':')).join(',')}}`),
    ),
    fc.constantFrom(...BROKEN),
  ),
})).value

const rarely = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 60, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary })

/** An object of these entries; now and then one is missing, or there is one more, which may be one again. */
export const object = (fields: Record<string, fc.Arbitrary<string>>): fc.Arbitrary<string> =>
  fc
    .tuple(
      fc.tuple(...Object.entries(fields).map(([name, text]) => text.map((each) => `"${name}":${each}`))),
      rarely(fc.tuple(key, anyJson).map((entry) => entry.join(':'))),
      rarely(fc.nat(9)),
    )
    .map(([entries, more, less]) => {
      const kept = entries.filter((_, i) => i !== less)
      return `{${[...kept, ...(more === undefined ? [] : [more])].join(',')}}`
    })

/** An array, most of whose items are these. */
export const list = (item: fc.Arbitrary<string>, maxLength = 6) =>
  mostly(
    fc.array(mostly(item, anyJson), { maxLength }).map((items) => `[${items.join(',')}]`),
    anyJson,
  )
/** One of `names`, as text. */
export const name = (...names: string[]) => mostly(fc.constantFrom(...names).map(quote), anyJson)

/** Texts that are nearly batches of the weeks before `now`, in epoch ms. */
export function nearlyBatch(now: number): fc.Arbitrary<string> {
  const ts = mostly(
    fc.nat(40 * 86_400).map((seconds) => `${now - seconds * 1000}`),
    anyJson,
  )
  const value = mostly(
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => JSON.stringify(n)),
    anyJson,
  )
  const device = name('pump-7', 'pump-8', '__proto__')
  const metric = name('temperature', 'current', 'constructor')
  const unit = name('C', 'A', 'µm')
  const point = fc.tuple(ts, value).map((pair) => `[${pair.join(',')}]`)
  const batchId = fc.nat(99).map((n) => `"b-${n}"`)
  return object({
    batch_id: mostly(batchId, anyJson),
    source: name('gw-7', 'gw-8'),
    precision: mostly(fc.constant('"ms"'), name('s', 'us', 'ns', 'm')),
    series: list(object({ device, metric, unit, points: list(point) })),
    datapoints: list(object({ device, metric, unit, ts, value })),
  })
}
