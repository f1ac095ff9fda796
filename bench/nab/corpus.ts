import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import * as v from 'valibot'

/** One CSV of a corpus: what it says, row by row, in the order of the file. */
export interface CorpusFile {
  /** Path below the data folder, with slashes: `category/file.csv`. */
  name: string
  timestamps: string[]
  values: string[]
  /** Epoch ms. */
  times: Float64Array
}

const labelsSchema = v.record(v.string(), v.array(v.tuple([v.string(), v.string()])))
export type Labels = v.InferOutput<typeof labelsSchema>

export const readLabels = (file: string): Labels =>
  v.parse(labelsSchema, JSON.parse(readFileSync(file, 'utf8')))

/** Names of the CSV files in the category folders of `dir`, sorted. Throws where there is none. */
export function listCorpus(dir: string): string[] {
  const names = globSync('*/*.csv', { cwd: dir }).map((name) => name.replaceAll(path.sep, '/'))
  if (names.length === 0) throw new Error(`There is no CATEGORY/FILE.csv in ${dir}.`)
  return names.sort()
}

/** Throws where the file is not `timestamp,value` with times in UTC. */
export function readCorpusFile(dir: string, name: string): CorpusFile {
  const [header, ...lines] = readFileSync(path.join(dir, name), 'utf8').trimEnd().split(/\r?\n/)
  if (header?.trim() !== 'timestamp,value') throw new Error(`${name} must start with timestamp,value.`)
  const rows = lines.map((line) => line.split(','))
  const timestamps = rows.map(([timestamp = '']) => timestamp)
  const times = Float64Array.from(timestamps, timeOf)
  const bad = times.findIndex(Number.isNaN)
  if (bad >= 0) throw new Error(`${name} has no time in line ${bad + 2}.`)
  return { name, timestamps, values: rows.map(([, value = '']) => value), times }
}

/** `2014-04-10 07:15:00`, with or without fraction, T and Z; UTC in any case. NaN for anything else. */
export const timeOf = (text: string) => Date.parse(`${text.trim().replace(' ', 'T').replace(/Z$/, '')}Z`)

/**
 * Labelled windows as row numbers: from the first row at or after the window's start to the last at or before its end.
 * Throws where a window holds no row.
 */
export function windowRows({ name, times }: CorpusFile, labels: Labels): [first: number, last: number][] {
  const spans = (labels[name] ?? []).map(([from, to]): [number, number] => {
    const first = times.findIndex((time) => time >= timeOf(from))
    const last = times.findLastIndex((time) => time <= timeOf(to))
    if (first < 0 || last < first) throw new Error(`${name} has no row between ${from} and ${to}.`)
    return [first, last]
  })
  return spans.sort(([a], [b]) => a - b)
}

/** Writes the rows of `file` with their scores to the same place below `dir`. */
export function writeResult(dir: string, file: CorpusFile, scores: Float64Array): void {
  const target = path.join(dir, file.name)
  mkdirSync(path.dirname(target), { recursive: true })
  const lines = file.timestamps.map((timestamp, i) => `${timestamp},${file.values[i]},${scores[i]}`)
  writeFileSync(target, ['timestamp,value,anomaly_score', ...lines, ''].join('\n'))
}
