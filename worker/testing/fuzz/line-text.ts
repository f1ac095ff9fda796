import fc from 'fast-check'
import { mostly } from './json-text.ts'

const TOKENS = [
  ...['=', ',', ' ', '\n', '\r\n', '\t', '#', '"', '\\', '\\,', '\\=', '\\ ', '\\"', '\\\\', '\\\n', '\0'],
  ...'1i 1u -1u t FALSE nan 1e400 -0 .5 1. 0x1 "text" 99999999999999999999i 99999999999999999999'.split(' '),
  ...'-1 1767225600000 é 😀 \ufeff \u2028 __proto__ constructor'.split(' '),
]
const token = fc.oneof(fc.constantFrom(...TOKENS), fc.string({ unit: 'binary', maxLength: 6 }))
const odd = fc.array(token, { maxLength: 4 }).map((tokens) => tokens.join(''))

const word = (...words: string[]) => mostly(fc.constantFrom(...words), odd)
const pairs = (keys: fc.Arbitrary<string>, values: fc.Arbitrary<string>, minLength: number) =>
  fc
    .array(
      fc.tuple(keys, values).map((pair) => pair.join('=')),
      { minLength, maxLength: 4 },
    )
    .map((all) => all.join(','))

/** Texts that are nearly InfluxDB line protocol of the day before `now`, in ms. */
export function nearlyLines(now: number): fc.Arbitrary<string> {
  const line = fc
    .record({
      measurement: word('engine', 'cpu', 'm\\ m'),
      tags: mostly(pairs(word('device', 'host', 'site'), word('pump-7', 'a', 'b'), 0), odd),
      fields: mostly(pairs(word('t', 'p', 'running'), word('1', '-2.5', '3i', 'true', '"x"'), 1), odd),
      ts: mostly(
        fc.nat(86_400).map((seconds) => `${now - seconds * 1000}`),
        odd,
      ),
    })
    .map(({ measurement, tags, fields, ts }) => `${measurement}${tags && ','}${tags} ${fields} ${ts}`)
  return fc.array(mostly(line, odd), { maxLength: 8 }).map((lines) => lines.join('\n'))
}
