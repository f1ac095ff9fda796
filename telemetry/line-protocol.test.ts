import { describe, expect, test } from 'vitest'
import { BatchRefusal } from './batch-refusal.ts'
import { type LineProtocolOptions, parseLineProtocol } from './line-protocol.ts'

const NEW_YEAR = 1_767_225_600_000
const ARRIVAL = NEW_YEAR + 5_000
const parse = (text: string, options: Partial<LineProtocolOptions> = {}) =>
  parseLineProtocol(text, { precision: 'ms', deviceTag: undefined, receivedAt: ARRIVAL, ...options })

/** The datapoints in words: series, timestamp, value, or why there is none. */
function rowsOf(text: string, options: Partial<LineProtocolOptions> = {}) {
  const { names, seriesOf, ts, values, unstorable = [], pathOf } = parse(text, options)
  const reasons = new Map(unstorable.map(({ ordinal, code }) => [ordinal, code]))
  return Array.from(ts, (time, i) => {
    const { device, metric } = names[seriesOf[i]!] ?? { device: '', metric: '' }
    return reasons.has(i)
      ? `${pathOf(i)}: ${reasons.get(i)}`
      : `${device}/${metric} ${time - NEW_YEAR} ${values[i]}`
  })
}

const T = NEW_YEAR

describe('series', () => {
  test.each([
    ['the tag device', `m,device=pump-7 t=1 ${T}`, 'pump-7/m.t 0 1'],
    ['else the tag host', `m,host=gw t=1 ${T}`, 'gw/m.t 0 1'],
    ['a tag besides the device', `m,host=gw,device=d t=1 ${T}`, 'd/m.t,host=gw 0 1'],
    ['further tags, sorted', `cpu,b=2,device=d,a=1 t=1 ${T}`, 'd/cpu.t,a=1,b=2 0 1'],
    ['no tag at all', `m t=1 ${T}`, 'default/m.t 0 1'],
    ['escapes in the measurement', `a\\,b\\ c\\=d,device=d t=1 ${T}`, 'd/a,b c\\=d.t 0 1'],
    ['escapes in tags', `m,device=a\\,b\\ c\\=d t=1 ${T}`, 'a,b c=d/m.t 0 1'],
    ['escapes in other tags', `m,device=d,x\\=y=1\\,z\\=2 t=1 ${T}`, 'd/m.t,x\\=y=1\\,z\\=2 0 1'],
    ['escapes in field keys', `m,device=d a\\,b\\ c\\=d=1 ${T}`, 'd/m.a,b c=d 0 1'],
    ['a backslash that escapes nothing', `m\\n,device=C:\\pump t\\x=1 ${T}`, 'C:\\pump/m\\n.t\\x 0 1'],
    ['quotes in names, which are part of them', `"m",device="d" "t"=1 ${T}`, '"d"/"m"."t" 0 1'],
    ['text beyond ASCII', `Öl,device=Süd温度 t=1 ${T}`, 'Süd温度/Öl.t 0 1'],
    ['names of the prototype', `__proto__,device=constructor t=1 ${T}`, 'constructor/__proto__.t 0 1'],
  ])('%s', (_, line, row) => {
    expect(rowsOf(line)).toEqual([row])
  })

  test('a tag of the caller’s choice names the device, and only that one', () => {
    const text = `m,device=d,sensor=s t=1 ${T}\nm,device=d t=1 ${T}`
    const rows = ['s/m.t,device=d 0 1', 'default/m.t,device=d 0 1']
    expect(rowsOf(text, { deviceTag: 'sensor' })).toEqual(rows)
  })

  test('the same tags in another order are the same series', () => {
    expect(parse(`m,device=d,a=1,b=2 t=1 1\nm,b=2,a=1,device=d t=1 2`).names).toHaveLength(1)
  })
})

describe('values and timestamps', () => {
  test.each([
    ['1', 1],
    ['-1.5', -1.5],
    ['.5', 0.5],
    ['5.', 5],
    ['-1.5e-3', -0.0015],
    ['1E+3', 1000],
    ['42i', 42],
    ['-42i', -42],
    ['42u', 42],
    ...['t', 'T', 'true', 'True', 'TRUE'].map((text): [string, number] => [text, 1]),
    ...['f', 'F', 'false', 'False', 'FALSE'].map((text): [string, number] => [text, 0]),
  ])('%s is %d', (text, value) => {
    expect(parse(`m t=${text} ${T}`)).toMatchObject({ values: Float64Array.of(value), unstorable: [] })
  })

  test.each(['NaN', '-Inf', '1e400', '0x10', '1_000', '-1u', '1.5i', 'yes', '""', '"a\\"b, c=1 2"', '"\n"'])(
    'the value %j rejects its field alone',
    (text) => {
      expect(rowsOf(`m a=1,b=${text},c=3 ${T}`)).toEqual([
        'default/m.a 0 1',
        'line 1, field 2: not_numeric',
        'default/m.c 0 3',
      ])
    },
  )

  test.each([
    ['ns', '1767225600123999999', 123],
    ['us', '1767225600123999', 123],
    ['ms', '1767225600123', 123],
    ['s', '1767225600', 0],
    ['ns', '-1', -NEW_YEAR - 1],
  ] as const)('in %s, %s is floored to the millisecond', (precision, digits, ms) => {
    expect(rowsOf(`m t=1 ${digits}`, { precision })).toEqual([`default/m.t ${ms} 1`])
  })

  test('a line without a timestamp has the time of arrival, and the batch says so', () => {
    const text = `m a=1,b=2\nm a=3 ${T}`
    const rows = ['default/m.a 5000 1', 'default/m.b 5000 2', 'default/m.a 0 3']
    expect(rowsOf(text)).toEqual(rows)
    expect([parse(text).timedByArrival, parse(`m a=3 ${T}`).timedByArrival]).toEqual([true, false])
  })
})

describe('lines', () => {
  test('blank ones, comments, blanks around a point and CRLF are nothing to speak of', () => {
    const text = `# a comment, t=1\n\n  \r\n \tm t=1 ${T} \r\nm  t=2   ${T + 1}\r\n#\nm t=3\r\n`
    expect(rowsOf(text)).toEqual(['default/m.t 0 1', 'default/m.t 1 2', 'default/m.t 5000 3'])
    expect(rowsOf('')).toEqual([])
  })

  test('a line break within a text does not end its line', () => {
    const rows = ['line 1, field 1: not_numeric', 'default/m.t 0 1', 'default/m.t 1 2']
    expect(rowsOf(`m s="a\nb",t=1 ${T}\nm t=2 ${T + 1}`)).toEqual(rows)
    expect(rowsOf(`m s="a\nb",t=1 ${T}\nm`).at(-1)).toBe('line 3, field 1: malformed')
  })

  test.each([
    ['no fields', 'm'],
    ['no fields after tags', 'm,device=d'],
    ['no measurement', ',device=d t=1'],
    ['a tag without value', 'm,device= t=1'],
    ['a tag without key', 'm,=d t=1'],
    ['no tag after the comma', 'm, t=1'],
    ['a tag given twice', 'm,device=a,device=b t=1'],
    ['a field without value', 'm t= 1'],
    ['a field without key', 'm =1'],
    ['a field without equals sign', 'm a,b=1'],
    ['nothing after a comma', 'm a=1, 5'],
    ['a timestamp that is none', 'm a=1 yesterday'],
    ['a fractional timestamp', 'm a=1 1.5'],
    ['something after the timestamp', 'm a=1 1 2'],
    ['something after a text', 'm a="x"5'],
    ['a text that does not end', 'm a="x'],
  ])('%s makes a line malformed, and leaves those around it alone', (_, line) => {
    const rows = ['default/m.t 0 1', 'line 2, field 1: malformed', 'default/m.t 1 2']
    expect(rowsOf(`m t=1 ${T}\n${line}\nm t=2 ${T + 1}`)).toEqual(rows)
  })

  test('a name out of bounds rejects its field: too long, empty, a control character, not UTF-8', () => {
    const long = 'x'.repeat(127)
    const notUtf8 = new TextDecoder().decode(Uint8Array.of(0x6d, 0xff))
    const fields = rowsOf(`m ${long}=1,a=2 ${T}\nm,device=${long}xx a=1\nm,device=\u0007 a=1\n${notUtf8} a=1`)
    expect(fields).toEqual([
      'line 1, field 1: invalid_name',
      'default/m.a 0 2',
      ...[2, 3, 4].map((line) => `line ${line}, field 1: invalid_name`),
    ])
  })

  test('tags without end reject their fields alike, and are not taken apart', () => {
    // Two bytes for each tag: with a map entry for each they would take a thousand times as much.
    const tags = Array.from({ length: 1_000_000 }, (_, i) => `,${i}=1`).join('')
    expect(rowsOf(`m,device=d${tags} a=1,b=2 ${T}`)).toEqual(
      [1, 2].map((i) => `line 1, field ${i}: invalid_name`),
    )
  })

  test('50,000 datapoints are taken and one more is too many', () => {
    const full = `m ${'t=1,'.repeat(49_998)}t=1\nnothing\n`
    expect(parse(full).ts).toHaveLength(50_000)
    expect(() => parse(`${full}nothing`)).toThrow(BatchRefusal)
  })
})
