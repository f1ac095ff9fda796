// `npm run bench:nab -- --data DIR --labels FILE --out DIR [--through-db] [--per-file]`: runs the product's detection over
// a labelled corpus in the layout of the Numenta Anomaly Benchmark, writes its result files and prints the score. With
// `--through-db` by way of a Postgres of its own and the command line, to the same files.
import { parseArgs } from 'node:util'
import { withPostgres } from '../with-postgres.ts'
import { type CorpusFile, listCorpus, readCorpusFile, readLabels, windowRows, writeResult } from './corpus.ts'
import { bestThreshold, type CorpusScore, PROFILES, type ScoredFile, scoreCorpus } from './score-corpus.ts'
import { scoreRows } from './score-rows.ts'
import { type NamedRows, scoreThroughDb } from './through-db.ts'

/** At or above it a window is anomalous, on every metric. */
const THRESHOLD = 1

const USAGE = 'npm run bench:nab -- --data DIR --labels FILE --out DIR [--through-db] [--per-file]'

interface LabelledFile extends ScoredFile {
  name: string
}

const rowsOf = ({ name, times, values }: CorpusFile): NamedRows => ({
  name,
  times,
  values: Float64Array.from(values, (text) => (text.trim() === '' ? Number.NaN : Number(text))),
})

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

/** The scores of every file, and by what they were made. */
async function scoreFiles(files: NamedRows[], throughDb: boolean): Promise<[Float64Array[], by: string]> {
  if (!throughDb) return [files.map(({ times, values }) => scoreRows(times, values)), '']
  const { scores, runs } = await withPostgres({ durable: false }, (environment) =>
    scoreThroughDb(files, environment),
  )
  return [scores, ` by ${runs} runs of the command line`]
}

async function main(): Promise<void> {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  const options = { data: text, labels: text, out: text, 'through-db': flag, 'per-file': flag } as const
  const { data, labels: labelFile, out, ...flags } = parseArgs({ options }).values
  if (!data || !labelFile || !out) throw new Error(`Give all three: ${USAGE}`)
  const labels = readLabels(labelFile)
  const files = listCorpus(data).map((name) => readCorpusFile(data, name))
  const begun = performance.now()
  const [scores, by] = await scoreFiles(files.map(rowsOf), flags['through-db'] === true)
  const seconds = ((performance.now() - begun) / 1000).toFixed(1)
  const rows = scores.reduce((sum, { length }) => sum + length, 0)
  const scored: LabelledFile[] = []
  for (const [i, file] of files.entries()) {
    writeResult(out, file, scores[i]!)
    // The labels come in here, when the scores are written.
    if (labels[file.name])
      scored.push({ name: file.name, scores: scores[i]!, windows: windowRows(file, labels) })
  }
  const missing = Object.keys(labels).filter((name) => !scored.some((file) => file.name === name))
  if (missing.length > 0) console.log(`Labelled but not in ${data}: ${missing.join(', ')}`)
  console.log(`${rows} rows scored in ${seconds} s${by}; ${scored.length} labelled files:`)
  if (flags['per-file']) printFiles(scored)
  if (scored.some(({ windows }) => windows.length > 0)) printScores(scored)
  else console.log('Nothing is labelled in them, so there is no score to tell.')
}

try {
  await main()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
process.disconnect?.() // the channel to run.mjs would keep this process
