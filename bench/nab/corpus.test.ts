import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { listCorpus, readCorpusFile, windowRows, writeResult } from './corpus.ts'

let dir: string
beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'edgepulse-corpus-'))
  mkdirSync(path.join(dir, 'a'))
  const rows = ['2026-01-01 00:00:00,1', '2026-01-01T00:05:00.500Z,02.50', '2026-01-01 00:10:00,']
  writeFileSync(path.join(dir, 'a', 'x.csv'), ['timestamp,value', ...rows, ''].join('\r\n'))
  writeFileSync(path.join(dir, 'a', 'bad.csv'), 'timestamp,value\nyesterday,1\n')
  writeFileSync(path.join(dir, 'a', 'other.csv'), 'time,value\n')
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const START = Date.UTC(2026, 0, 1)

it('readCorpusFile() takes times as UTC and keeps every row as it stands', () => {
  const { times, timestamps, values } = readCorpusFile(dir, 'a/x.csv')
  expect([...times]).toEqual([START, START + 300_500, START + 600_000])
  expect(timestamps[1]).toBe('2026-01-01T00:05:00.500Z')
  expect(values).toEqual(['1', '02.50', ''])
})

it('readCorpusFile() refuses what is not timestamp,value', () => {
  expect(() => readCorpusFile(dir, 'a/bad.csv')).toThrow('a/bad.csv has no time in line 2')
  expect(() => readCorpusFile(dir, 'a/other.csv')).toThrow('must start with timestamp,value')
})

it('listCorpus() finds the files of every category, and says so when there is none', () => {
  expect(listCorpus(dir)).toEqual(['a/bad.csv', 'a/other.csv', 'a/x.csv'])
  expect(() => listCorpus(path.join(dir, 'a'))).toThrow('There is no CATEGORY/FILE.csv')
})

it('windowRows() gives the rows within a label, both ends inclusive', () => {
  const file = readCorpusFile(dir, 'a/x.csv')
  const labels = (from: string, to: string) => ({ 'a/x.csv': [[from, to]] as [string, string][] })
  expect(windowRows(file, labels('2026-01-01 00:05:00', '2026-01-01 00:10:00.000000'))).toEqual([[1, 2]])
  expect(windowRows(file, {})).toEqual([])
  expect(() => windowRows(file, labels('2026-01-01 00:06:00', '2026-01-01 00:07:00'))).toThrow(
    'no row between',
  )
})

it('writeResult() writes the same rows with their scores, in the same layout', () => {
  const file = readCorpusFile(dir, 'a/x.csv')
  writeResult(path.join(dir, 'out'), file, Float64Array.of(0, 1.25, 0))
  expect(readFileSync(path.join(dir, 'out', 'a', 'x.csv'), 'utf8')).toBe(
    'timestamp,value,anomaly_score\n2026-01-01 00:00:00,1,0\n2026-01-01T00:05:00.500Z,02.50,1.25\n2026-01-01 00:10:00,,0\n',
  )
})
