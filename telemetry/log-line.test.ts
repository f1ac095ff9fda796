import { readFileSync } from 'node:fs'
import path from 'node:path'
import * as v from 'valibot'
import { expect, test } from 'vitest'
import { EVENTS, isSampled, LogLine, logLine } from './log-line.ts'
import { seededRandom } from './random.ts'

const head = { now: 0, level: 'info', service: 'edge', event: 'ingest' } as const

test('a line is the schema’s, its head first', () => {
  const text = logLine(head, { batch_id: 'b-1', duration_ms: 2.5 })
  expect(text).toBe(
    '{"time":"1970-01-01T00:00:00.000Z","level":"info","service":"edge","event":"ingest","batch_id":"b-1","duration_ms":2.5}',
  )
  expect(v.is(LogLine, JSON.parse(text))).toBe(true)
})

test('what has no field cannot be logged', () => {
  const line: unknown = JSON.parse(logLine(head, {}))
  expect(v.is(LogLine, { ...Object(line), body: 'secret' })).toBe(false)
  expect(v.is(LogLine, { ...Object(line), event: 'of my own' })).toBe(false)
})

test('errors and reasons are cut: they may quote what they are about', () => {
  const long = 'x'.repeat(5000)
  const line: unknown = JSON.parse(
    logLine(head, { error: long, cause: long, reason: long, message: 'short' }),
  )
  expect(line).toMatchObject({ error: 'x'.repeat(1000), cause: 'x'.repeat(1000), message: 'short' })
  expect(v.is(LogLine, line)).toBe(true)
})

test('the table of events in the docs is that of the code', () => {
  const docs = readFileSync(path.join(import.meta.dirname, '../docs/observability.md'), 'utf8')
  const section = /^### Events\n([\s\S]*?)(?=^##|(?![\s\S]))/m.exec(docs)?.[1] ?? ''
  const rows = [...section.matchAll(/^\| `(\w+)` \| (.+) \|$/gm)].map(([, name, when]) => [name, when])
  expect(Object.fromEntries(rows)).toEqual(EVENTS)
})

const traces = (count: number) => {
  const random = seededRandom(7)
  const digit = () => Math.floor(random() * 16).toString(16)
  return Array.from({ length: count }, () => Array.from({ length: 32 }, digit).join(''))
}

test('all is sampled at 1, nothing at 0, and about a tenth at 0.1', () => {
  const all = traces(5000)
  const share = (rate: number) => all.filter((trace) => isSampled(trace, rate)).length / all.length
  expect([share(1), share(0)]).toEqual([1, 0])
  expect(share(0.1)).toBeGreaterThan(0.085)
  expect(share(0.1)).toBeLessThan(0.115)
  expect(isSampled('f'.repeat(32), 1)).toBe(true)
  expect(isSampled('f'.repeat(32), Number.NaN)).toBe(true)
})

test('who is sampled at a low rate is so at a higher one: parts with different rates agree on the rare ones', () => {
  for (const trace of traces(200)) if (isSampled(trace, 0.2)) expect(isSampled(trace, 0.7)).toBe(true)
})
