import { Point } from '@influxdata/influxdb-client'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BatchRefusal } from './batch-refusal.ts'
import { parseLineProtocol } from './line-protocol.ts'

const parse = (text: string) =>
  parseLineProtocol(text, { precision: 'ms', deviceTag: undefined, receivedAt: 0 })

/** No backslash: the protocol cannot say one before a separator, so clients do not escape it. */
const name = fc.string({ unit: fc.constantFrom(...'abzÄ温🛢 ,="\'#.:/'), minLength: 1, maxLength: 12 })
const point = fc.record({
  measurement: name.filter((text) => !/^[# ]/.test(text)),
  device: name,
  site: fc.option(name, { nil: undefined }),
  number: fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
  integer: fc.maxSafeInteger(),
  flag: fc.boolean(),
  text: fc.string({ unit: fc.constantFrom(...'ab\\" ,=\n') }),
  field: name.filter((text) => !['integer', 'flag', 'text'].includes(text)),
  ts: fc.integer(),
})

test('what the client library writes comes back as it was meant', () => {
  fc.assert(
    fc.property(fc.array(point, { maxLength: 5 }), (points) => {
      const lines = points.map(({ measurement, device, site, number, integer, flag, text, field, ts }) => {
        const written = new Point(measurement).tag('device', device).timestamp(ts)
        if (site !== undefined) written.tag('site', site)
        written.floatField(field, number).intField('integer', integer)
        return written.booleanField('flag', flag).stringField('text', text).toLineProtocol()
      })
      const { names, seriesOf, ts, values, unstorable } = parse(lines.join('\n'))
      const read = Array.from(ts, (time, i) => ({ ...names[seriesOf[i]!], ts: time, value: values[i] }))
      const dropped = new Set(unstorable?.map(({ ordinal }) => ordinal))
      const expected = points.flatMap(
        ({ measurement, device, site, number, integer, flag, field, ts: time }) => {
          const suffix = site === undefined ? '' : `,site=${site.replace(/[,=]/g, '\\$&')}`
          const datapoint = (key: string, value: number) => ({
            ...{ device, metric: `${measurement}.${key}${suffix}`, unit: null, ts: time, value },
          })
          // The library writes fields in the order of their keys.
          return [
            { key: field, value: number },
            { key: 'integer', value: integer },
            { key: 'flag', value: Number(flag) },
          ]
            .sort((a, b) => (a.key < b.key ? -1 : 1))
            .map(({ key, value }) => datapoint(key, value))
        },
      )
      expect(read.filter((_, i) => !dropped.has(i))).toEqual(expected)
      expect(dropped.size).toBe(points.length)
    }),
  )
})

const fragment = fc.oneof(
  fc.constantFrom('m', ',', '=', ' ', '"', '\\', '\n', '\r', '#', '1', 't', 'i', '.', '-', 'e9', ',device=d'),
  fc.constantFrom('m,device=d t=1 1\n', '\0', '\ud800', '9'.repeat(25)),
  fc.string(),
)

test('no text makes it fail, and every datapoint has a series or a reason why not', () => {
  fc.assert(
    fc.property(fc.array(fragment), (fragments) => {
      const { names, seriesOf, ts, values, unstorable = [], pathOf } = parse(fragments.join(''))
      expect([seriesOf.length, values.length]).toEqual([ts.length, ts.length])
      const dropped = new Set(unstorable.map(({ ordinal }) => ordinal))
      ts.forEach((time, i) => {
        expect(pathOf(i)).toMatch(/^line [1-9]\d*, field [1-9]\d*$/)
        if (!dropped.has(i))
          expect([names[seriesOf[i]!], Number.isFinite(time)]).toEqual([expect.anything(), true])
        expect(values[i]).toSatisfy(Number.isFinite)
      })
    }),
    { numRuns: 1_000 },
  )
})

const fields = (n: number) => Array.from({ length: n }, (_, i) => `f${i}=1`).join(',')

test.each([
  ['a head without end', (n: number) => 'a'.repeat(n)],
  ['escapes', (n: number) => '\\ '.repeat(n)],
  ['tags', (n: number) => `m${',a=b'.repeat(n / 4)}`],
  ['a head with many fields', (n: number) => `${'m'.repeat(n / 2)} ${fields(n / 200)}`],
  ['a number', (n: number) => `m t=${'1'.repeat(n)}x`],
  ['blanks', (n: number) => `m t=1${' '.repeat(n)}x`],
  ['a text without end on each line', (n: number) => 'm t="\n'.repeat(n / 400)],
  ['a text of escapes', (n: number) => `m t="${'\\"'.repeat(n / 2)}`],
  ['blank lines', (n: number) => '\n'.repeat(n)],
])('megabytes of %s are read in a moment', (_, textOf) => {
  const began = performance.now()
  try {
    parse(textOf(4_000_000))
  } catch (error) {
    expect(error).toBeInstanceOf(BatchRefusal)
  }
  expect(performance.now() - began).toBeLessThan(3_000) // what is quadratic takes hours
})
