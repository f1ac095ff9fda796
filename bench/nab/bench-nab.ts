// `npm run bench:nab -- --data DIR --labels FILE --out DIR [--per-file]`: runs the product's detection over a labelled
// corpus in the layout of the Numenta Anomaly Benchmark, writes its result files and prints the score.
import { parseArgs } from 'node:util'
import { type CorpusFile, listCorpus, readCorpusFile, readLabels, windowRows, writeResult } from './corpus.ts'
import { bestThreshold, type CorpusScore, PROFILES, type ScoredFile, scoreCorpus } from './score-corpus.ts'
import { scoreRows } from './score-rows.ts'

/** At or above it a window is anomalous, on every metric. */
const THRESHOLD = 1

const USAGE = 'npm run bench:nab -- --data DIR --labels FILE --out DIR [--per-file]'

interface LabelledFile extends ScoredFile {
  name: string
}

const numbersOf = ({ values }: CorpusFile) =>
  Float64Array.from(values, (text) => (text.trim() === '' ? Number.NaN : Number(text)))

function printScores(files: LabelledFile[]): void {
  console.log(`${''.padEnd(10)}${'threshold'.padStart(10)}  score  windows found  false rows`)
  for (const [name, profile] of Object.entries(PROFILES)) {
    for (const threshold of [THRESHOLD, bestThreshold(files, profile)]) {
      const which = threshold === THRESHOLD ? threshold.toFixed(1) : `best ${threshold.toFixed(3)}`
      console.log(`${name.padEnd(10)}${which.padStart(10)}${figures(scoreCorpus(files, threshold, profile))}`)
    }
  }
}

const figures = ({ score, found, windows, falseRows }: CorpusScore) =>
  `${score.toFixed(2).padStart(7)}${`${found} of ${windows}`.padStart(15)}${String(falseRows).padStart(12)}`

function printFiles(files: LabelledFile[]): void {
  for (const file of files) {
    const { found, windows, falseRows } = scoreCorpus([file], THRESHOLD, PROFILES.standard)
    console.log(
      `${file.name.padEnd(66)}${found} of ${windows} found${String(falseRows).padStart(5)} false rows`,
    )
  }
}

function main(): void {
  const text = { type: 'string' } as const
  const options = { data: text, labels: text, out: text, 'per-file': { type: 'boolean' } } as const
  const { data, labels: labelFile, out, 'per-file': perFile } = parseArgs({ options }).values
  if (!data || !labelFile || !out) throw new Error(`Give all three: ${USAGE}`)
  const labels = readLabels(labelFile)
  const started = performance.now()
  const scored: LabelledFile[] = []
  let rows = 0
  for (const name of listCorpus(data)) {
    const file = readCorpusFile(data, name)
    const scores = scoreRows(file.times, numbersOf(file))
    writeResult(out, file, scores)
    rows += scores.length
    // The labels come in here, when the scores are written.
    if (labels[name]) scored.push({ name, scores, windows: windowRows(file, labels) })
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  const missing = Object.keys(labels).filter((name) => !scored.some((file) => file.name === name))
  if (missing.length > 0) console.log(`Labelled but not in ${data}: ${missing.join(', ')}`)
  console.log(`${rows} rows scored in ${seconds} s; ${scored.length} labelled files:`)
  if (perFile) printFiles(scored)
  printScores(scored)
}

try {
  main()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
process.disconnect?.() // the channel to run.mjs would keep this process
