import { expect, test } from 'vitest'
import { newTraceId, traceIdFromUuid, traceIdOf, traceparentOf } from './trace.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'
const counting = (bytes: Uint8Array<ArrayBuffer>) => bytes.map((_, i) => i + 1)

test.each([
  ['as the recommendation has it', `00-${TRACE}-${SPAN}-01`],
  ['not sampled by its sender', `00-${TRACE}-${SPAN}-00`],
  ['of a later version', `cc-${TRACE}-${SPAN}-01`],
  ['of a later version with more behind it', `cc-${TRACE}-${SPAN}-01-what-the-future-will-be-like`],
])('the trace-id is taken from a header %s', (_, header) => {
  expect(traceIdOf(header)).toBe(TRACE)
})

test.each([
  ['absent', undefined],
  ['empty', ''],
  ['of the version that is none', `ff-${TRACE}-${SPAN}-01`],
  ['of version 00 with more behind it', `00-${TRACE}-${SPAN}-01-more`],
  ['of a later version with more right behind it', `cc-${TRACE}-${SPAN}-01.more`],
  ['in capitals', `00-${TRACE.toUpperCase()}-${SPAN}-01`],
  ['with a trace-id of zeros', `00-${'0'.repeat(32)}-${SPAN}-01`],
  ['with a parent-id of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
  ['too short', `00-${TRACE.slice(1)}-${SPAN}-01`],
  ['without flags', `00-${TRACE}-${SPAN}`],
  ['of several lines', `00-${TRACE}-${SPAN}-01\nx`],
])('a header that is %s is ignored', (_, header) => {
  expect(traceIdOf(header)).toBeUndefined()
})

test('what we send reads as what we take', () => {
  expect(traceparentOf(TRACE, counting)).toBe(`00-${TRACE}-0102030405060708-01`)
  expect(traceIdOf(traceparentOf(TRACE, counting))).toBe(TRACE)
})

test('a new trace-id is 16 bytes, and comes back from a uuid', () => {
  expect(newTraceId(counting)).toBe('0102030405060708090a0b0c0d0e0f10')
  expect(traceIdFromUuid('4bf92f35-77b3-4da6-a3ce-929d0e0e4736')).toBe(TRACE)
})
