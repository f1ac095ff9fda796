import { describe, expect, it } from 'vitest'
import { parseJsonBatch } from '../telemetry/json-batch.ts'
import { GROWING, parseArguments } from './arguments.ts'
import { batchText } from './batches.ts'
import { parseLine, tableRow } from './report.ts'
import { medianOf } from './statistics.ts'

describe('arguments', () => {
  const names = ['edge_cpu', 'ingest_rate']

  it.each([
    [[], { json: false, names, onlyGrowth: false }],
    [['--json'], { json: true, names, onlyGrowth: false }],
    [['ingest_rate', '--json'], { json: true, names: ['ingest_rate'], onlyGrowth: false }],
    [['growth'], { json: false, names: GROWING, onlyGrowth: true }],
  ])('%j', (args, expected) => expect(parseArguments(args, names)).toEqual(expected))

  it.each([[['--fast']], [['edge']], [['edge_cpu', 'ingest_rate']]])('refuses %j', (args) => {
    expect(() => parseArguments(args, names)).toThrow(/benchmark/)
  })
})

describe('a line', () => {
  it('stands in the table with its figures', () => {
    const line = parseLine('{"name":"growth","of":"edge_cpu","ratio":1.049,"rows_per_second":12000}')
    expect(tableRow(line)).toBe('growth of edge_cpu              1.05   rows per second 12,000')
  })

  it.each(['', 'no JSON', '{"name":"edge_cpu"}'])('is not %j', (line) => {
    expect(() => parseLine(line)).toThrow()
  })
})

it('takes the median of figures in any order', () => {
  expect(medianOf([30, 1, 2])).toBe(2)
  expect(medianOf([4, 1, 2, 3])).toBe(2.5)
})

it.each(['series', 'datapoints', 'datapoints-iso'] as const)(
  'a body in %s shape is a batch of the datapoints asked for',
  (shape) => {
    const start = Date.UTC(2026, 0, 1)
    const batch = parseJsonBatch(Buffer.from(batchText({ shape, series: 7, points: 3 }, start)))
    expect([batch.ts.length, batch.names.length]).toEqual([21, 7])
    expect([Math.min(...Array.from(batch.ts)), Math.max(...Array.from(batch.ts))]).toEqual([
      start,
      start + 2000,
    ])
  },
)
