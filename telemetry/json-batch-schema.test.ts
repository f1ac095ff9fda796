import { toJsonSchema } from '@valibot/to-json-schema'
import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import * as v from 'valibot'
import { expect, test } from 'vitest'
import { BatchRefusal } from './batch-refusal.ts'
import { parseJsonBatch } from './json-batch.ts'
import { JsonBatch } from './json-batch-schema.ts'

/*
 * Three readings of one body: the parser's, which counts; that of the schema which describes it; and, as JSON
 * Schema and through a validator of others', what the readers of the API's description get.
 */

const conversion = { target: 'draft-2020-12', typeMode: 'input', errorMode: 'ignore' } as const
const fitsJsonSchema = new Ajv2020({ strict: false, strictNumbers: true }).compile({
  allOf: [toJsonSchema(JsonBatch, conversion)],
})

function isParsed(text: string): boolean {
  try {
    parseJsonBatch(new TextEncoder().encode(text))
    return true
  } catch (error) {
    if (error instanceof BatchRefusal) return false
    throw error
  }
}

/** What a JSON Schema cannot tell from the rest: text that is not Unicode, days and hours that there are not. */
const UNTELLABLE = { names: ['a\ud83d'], times: ['2026-02-30', '2026-01-01T24:00Z', '2026-01-01T00:00+24'] }

const ODD_NAMES = ['a'.repeat(129), '🛢'.repeat(129), '', 'a\0b', 'a\x7f', 'a\x9f']
const ODD_TIMES = ['2026-01-01 00:00', '2026-1-1', 'now', '1e3', '9'.repeat(21), '']

/** Mostly `right`; now and then what is nearly so, or anything at all. */
const mostly = (right: fc.Arbitrary<unknown>, ...nearly: unknown[]) =>
  fc.oneof(
    { arbitrary: right, weight: 60 },
    { arbitrary: fc.constantFrom(null, ...nearly), weight: 1 },
    { arbitrary: fc.jsonValue({ depthSize: 'small' }), weight: 1 },
  )

/** Bodies as the wire brings them: nothing that JSON cannot say, and numbers too large for a double. */
function bodies({ names, times }: { names: string[]; times: string[] }): fc.Arbitrary<string> {
  const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 })
  const longest = fc.constantFrom('a'.repeat(128), '🛢'.repeat(128), '__proto__')
  const name = mostly(fc.oneof(text, longest), ...ODD_NAMES, ...names)
  const years = { min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }
  const iso = fc.date(years).map((date) => date.toISOString())
  const digits = fc.bigInt({ min: -(10n ** 20n) + 1n, max: 10n ** 20n - 1n }).map(String)
  const short = fc.constantFrom('2026-01-01', '2026-01-01T00:00', '2026-01-01T00:00+01', '20260101')
  const ts = mostly(fc.oneof(fc.integer(), digits, iso, short), 1.5, ...ODD_TIMES, ...times)
  const value = mostly(fc.option(fc.double({ noNaN: true, noDefaultInfinity: true })), '@huge')
  const points = mostly(fc.array(mostly(fc.tuple(ts, value), [1], [1, 2, 3]), { maxLength: 3 }))
  const of = { device: name, metric: name, unit: fc.option(name) }
  const required = ['device', 'metric'] as const
  const series = mostly(fc.record({ ...of, points }, { requiredKeys: [...required, 'points'] }), {})
  const datapoint = mostly(
    fc.record({ ...of, ts, value }, { requiredKeys: [...required, 'ts', 'value'] }),
    {},
  )
  const longId = 'a'.repeat(129)
  const body = {
    batch_id: mostly(fc.constantFrom('gw7-000123', longId.slice(1)), '.a', 'a b', '', longId),
    source: name,
    precision: mostly(fc.constantFrom('ms', 's', 'us', 'ns'), 'm'),
    series: mostly(fc.array(series, { maxLength: 2 })),
    datapoints: mostly(fc.array(datapoint, { maxLength: 2 })),
    unknown: fc.jsonValue(),
  }
  return mostly(fc.record(body, { requiredKeys: [] }), {}, []).map((each) =>
    JSON.stringify(each).replaceAll('"@huge"', '1e400'),
  )
}

test('the schema takes what the parser takes, and nothing else', () => {
  const property = fc.property(bodies(UNTELLABLE), (text) => {
    expect(v.is(JsonBatch, JSON.parse(text))).toBe(isParsed(text))
  })
  fc.assert(property, { numRuns: 3_000 })
})

test('its JSON Schema takes what the parser takes, and no more than it cannot tell', () => {
  const property = fc.property(bodies({ names: [], times: [] }), (text) => {
    expect(fitsJsonSchema(JSON.parse(text))).toBe(isParsed(text))
  })
  fc.assert(property, { numRuns: 3_000 })
})

test('what is generated is taken and refused often enough to tell', () => {
  const taken = fc.sample(bodies(UNTELLABLE), { numRuns: 2_000, seed: 1 }).filter(isParsed)
  expect(taken.length).toBeGreaterThan(500)
  expect(taken.length).toBeLessThan(1_500)
})
