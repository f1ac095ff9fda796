import { isDeepStrictEqual } from 'node:util'
import { describe, expect, test } from 'vitest'
import { BatchRefusal } from './batch-refusal.ts'
import { cutPoints } from './cut-points.ts'
import { parseJsonBatch } from './json-batch.ts'
import { type Random, seededRandom } from './random.ts'

const SEED = Number(process.env['PROPERTY_SEED'] ?? Date.now() % 1_000_000_000)
const NUMBERS = 100_000
const BODIES = Number(process.env['PROPERTY_BODIES'] ?? 20_000)

const cut = (text: string) => cutPoints(Buffer.from(text))
const body = (points: string) => `{"series":[{"device":"d","metric":"m","points":${points}}]}`

/** The one value of a body's one point; undefined: the text was not cut. */
function cutNumber(text: string): number | undefined {
  const points = cut(body(`[[0,${text}]]`))
  return points?.values[0]
}

describe('what is cut', () => {
  test.each([
    ['points as most senders write them', '[[1767225600000,71.3],[1767225601000,-4]]'],
    ['blanks wherever JSON has them', ' [\n[ 1767225600000\t, 71.3 ] ,\r\n [1767225601000 ,-4] ] '],
    ['exponents', '[[17672256e5,713e-1],[1767225601000.0,-0.4E+1]]'],
  ])('%s', (_, points) => {
    const result = cut(body(points))!
    expect([result.ends, [...result.ts.slice(0, 2)], [...result.values.slice(0, 2)]]).toEqual([
      [2],
      [1767225600000, 1767225601000],
      [71.3, -4],
    ])
    expect(JSON.parse(Buffer.from(result.rest).toString())).toEqual(JSON.parse(body('[]')))
  })

  test('arrays in the order of the text, empty ones too, and nothing that only looks like one', () => {
    const result = cut(`{"note":"\\"points\\":[[9,9]]","series":[{"points":[[1,2],[3,4]]},{"points":[]},
      {"\u6e29":"points","points":[[5,6]]}],"x":[["points",[7,8]]]}`)!
    expect([result.ends, [...result.ts.slice(0, 3)]]).toEqual([
      [2, 2, 3],
      [1, 3, 5],
    ])
  })

  test('50,000 arrays of points, and no body of more', () => {
    const arrays = (count: number) => `{"series":[{${Array(count).fill('"points":[]').join()}}]}`
    expect(cut(arrays(50_000))?.ends).toHaveLength(50_000)
    expect(cut(arrays(50_001))).toBeUndefined()
  })

  test('50,000 points, and no body of more', () => {
    const points = (count: number) => body(`[${Array(count).fill('[1767225600000,71.3]').join()}]`)
    expect(cut(points(50_000))?.ends).toEqual([50_000])
    expect(cut(points(50_001))).toBeUndefined()
  })
})

test.each([
  ['a timestamp in ISO 8601', '[["2026-01-01T00:00:00Z",1]]'],
  ['a timestamp that is no integer', '[[1.5,1]]'],
  ['no reading', '[[1,null]]'],
  ['a value that is not finite', '[[1,1e999]]'],
  ['a point of one number', '[[1]]'],
  ['a point of three numbers', '[[1,2,3]]'],
  ['a comma too many', '[[1,2],]'],
  ['an end too early', '[[1,2'],
  ['no array', '7'],
  ['many exponents', `[${Array(60).fill('[0,1e-7]').join()}]`],
])('%s is left to JSON.parse', (_, points) => {
  expect(cut(body(points))).toBeUndefined()
})

test.each([
  ['a key with escapes', '{"series":[],"p\\u006fints":[[1,2]]}'],
  ['the other shape', '{"datapoints":[],"series":[{"points":[[1,2]]}]}'],
])('%s is left to JSON.parse', (_, text) => {
  expect(cut(text)).toBeUndefined()
})

const below = (random: Random, n: number) => Math.floor(random() * n)
const oneOf = <T>(random: Random, list: readonly T[]): T => list[below(random, list.length)]!
const digits = (random: Random, n: number) => Array.from({ length: n }, () => below(random, 10)).join('')

/** A number as some program may write it, and sometimes as none may. */
function numberText(random: Random): string {
  const sign = random() < 0.3 ? '-' : ''
  const plain = () => `${digits(random, 1 + below(random, 6))}.${digits(random, below(random, 8))}`
  const exponent = () =>
    `${oneOf(random, ['e', 'E'])}${oneOf(random, ['', '+', '-'])}${digits(random, 1 + below(random, 3))}`
  const writers = [
    plain,
    () => String(below(random, 1e15)),
    () => (random() * 10 ** (below(random, 40) - 20)).toFixed(below(random, 20)),
    () => String((random() - 0.5) * 10 ** (below(random, 600) - 300)),
    () => digits(random, 1 + below(random, 25)),
    () => `${below(random, 1e6)}.${digits(random, 1 + below(random, 25))}`,
    () => `${BigInt(2 ** 53) + BigInt(below(random, 9) - 4)}`,
    () => `0.${'0'.repeat(below(random, 25))}${digits(random, 1 + below(random, 17))}`,
    () => plain() + exponent(),
    () =>
      oneOf(random, [
        '0',
        '00',
        '01',
        '1.',
        '.5',
        '',
        '+1',
        '1e',
        '1e+',
        '0x1',
        'NaN',
        'Infinity',
        '1_0',
        '- 1',
      ]),
  ]
  return sign + oneOf(random, writers)()
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

test('a number that is cut is the very double that JSON.parse reads', () => {
  const random = seededRandom(SEED)
  let cuts = 0
  for (let i = 0; i < NUMBERS; i += 1) {
    const text = numberText(random)
    const [own, expected] = [cutNumber(text), parsed(text)]
    if (own === undefined && (expected === undefined || !Number.isFinite(expected))) continue
    if (!Object.is(own, expected)) throw new Error(`${text} is ${expected}, not ${own} (seed ${SEED})`)
    cuts += 1
  }
  expect(cuts).toBeGreaterThan(NUMBERS / 2)
})

/** A batch in series shape, more or less: keys in any order, twice, missing or in disguise; blanks; odd values. */
function batchText(random: Random): string {
  const blank = () => (random() < 0.15 ? oneOf(random, [' ', '\n', '\t', '\r\n', '  ']) : '')
  const list = (max: number, item: () => string) =>
    Array.from({ length: below(random, max + 1) }, () => blank() + item() + blank()).join()
  const usual = <T>(value: T, ...others: T[]) => (random() < 0.97 ? value : oneOf(random, others))
  const ts = () =>
    usual(String(1.7e12 + below(random, 1e9)), '"2026-01-01T00:00:00Z"', numberText(random), 'null')
  const value = () => usual((random() * 100).toFixed(2), numberText(random), 'null', '"1"', '[]')
  const point = () => usual(`[${blank()}${ts()}${blank()},${value()}]`, '[]', '[1]', '[1,2,3]', '{}', 'null')
  const points = () => usual(`[${list(4, point)}]`, 'null', '{"points":[[1,2]]}', '[[[1,2]]]', '[1]')
  const key = (name: string) =>
    usual(`"${name}"`, `"\\u00${name.charCodeAt(0).toString(16)}${name.slice(1)}"`)
  const field = (name: string, text: string) => `${key(name)}${blank()}:${blank()}${text}`
  const name = () =>
    `"${usual(oneOf(random, ['a', 'b', 'pump 7', '\u6e29', '\\u00b0C', 'points']), '', '\\ud800')}"`
  const entry = () => {
    const fields = [field('device', name()), field('metric', name()), field('points', points())]
    if (random() < 0.3) fields.push(field('unit', name()))
    if (random() < 0.05) fields.push(field('points', points()))
    if (random() < 0.05) fields.push(field('more', `{"points":${points()}}`))
    if (random() < 0.02) fields.pop()
    return `{${fields.sort(() => random() - 0.5).join()}}`
  }
  const fields = [field('series', `[${list(4, entry)}]`)]
  if (random() < 0.2) fields.push(field('batch_id', name()))
  if (random() < 0.1) fields.push(field('precision', `"${oneOf(random, ['s', 'ms', 'us', 'ns', 'm'])}"`))
  if (random() < 0.05) fields.push(field('series', `[${list(2, entry)}]`))
  if (random() < 0.05) fields.push(field('points', points()))
  if (random() < 0.05) fields.push('"datapoints":[{"device":"d","metric":"m","ts":1767225600000,"value":1}]')
  return `${usual('', '\ufeff', ' ')}{${fields.sort(() => random() - 0.5).join()}}${usual('', '\n', ']', '\u0000')}`
}

/** The bytes with something left out, put in, or changed, as a faulty sender or a broken line has it. */
function damaged(bytes: Buffer, random: Random): Buffer {
  const [from, to] = [below(random, bytes.length), below(random, bytes.length)].sort((a, b) => a - b) as [
    number,
    number,
  ]
  const inserted = Buffer.from(
    oneOf(random, [
      '',
      '"',
      '\\',
      ',',
      ':',
      '[',
      ']',
      '{',
      '}',
      '0',
      '-',
      '.',
      'e',
      ' ',
      '\ufeff',
      '"points":[[1,2]]',
    ]),
  )
  const kinds = [
    () => Buffer.concat([bytes.subarray(0, from), inserted, bytes.subarray(from)]),
    () => Buffer.concat([bytes.subarray(0, from), inserted, bytes.subarray(from + 1)]),
    () => Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]),
    () => Buffer.concat([bytes.subarray(0, to), bytes.subarray(from)]),
    () => bytes.subarray(0, to),
    () => Buffer.concat([bytes.subarray(0, from), Buffer.of(below(random, 256)), bytes.subarray(from + 1)]),
  ]
  return oneOf(random, kinds)()
}

/** The same JSON but for an unknown key with an escape in front, which makes JSON.parse read it all. */
function longWay(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1')
  const start = /^(?:\u00ef\u00bb\u00bf)?[ \t\r\n]*\{(?![ \t\r\n]*\})/.exec(text)?.[0].length
  if (start === undefined) return bytes
  return Buffer.concat([bytes.subarray(0, start), Buffer.from('"\\u0061":0,'), bytes.subarray(start)])
}

function outcomeOf(bytes: Buffer): unknown {
  try {
    const { pathOf, ...batch } = parseJsonBatch(bytes)
    return { ...batch, paths: Array.from(batch.ts, (_, i) => pathOf(i)) }
  } catch (error) {
    if (error instanceof BatchRefusal) return { code: error.code, faults: error.faults }
    throw error
  }
}

test('any text comes to the same batch or the same refusal as by JSON.parse alone', {
  timeout: 600_000,
}, () => {
  const random = seededRandom(SEED + 1)
  const seen = { cut: 0, batches: 0, refusals: 0 }
  for (let i = 0; i < BODIES; i += 1) {
    let bytes: Buffer = Buffer.from(batchText(random))
    while (random() < 0.4) bytes = damaged(bytes, random)
    const outcome = outcomeOf(bytes)
    if (!isDeepStrictEqual(outcome, outcomeOf(longWay(bytes))))
      throw new Error(`Not the same: ${bytes} (seed ${SEED})`)
    if (cutPoints(bytes) !== undefined) seen.cut += 1
    seen[Object.hasOwn(outcome as object, 'code') ? 'refusals' : 'batches'] += 1
  }
  expect(Math.min(seen.cut, seen.batches, seen.refusals)).toBeGreaterThan(BODIES / 10)
})
