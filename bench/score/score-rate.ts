// Wall time of `score --all` over 10,000 metrics with 24 h of windows ÷ that of reading the same windows and writing
// as many score rows and nothing else, and its growth. Prints a JSON object a line; `bench.ts` runs it in a process
// of its own.
import type pg from 'pg'
import { openPool } from '../../ml-service/database.ts'
import { seedWindows } from '../../ml-service/testing/seed-windows.ts'
import { rounded } from '../statistics.ts'
import { type BenchEnvironment, withPostgres } from '../with-postgres.ts'
import { bareScores } from './bare-scores.ts'
import { type MeasuredRun, measuredRun } from './measured-run.ts'

const [FEW, MANY] = [100, 10_000]
const WINDOWS = 288

interface Figures extends MeasuredRun {
  windows: number
  bareSeconds: number
}

/** Both sides over the same windows, the bare one first; each finds the tables of scores empty. */
async function measure(pool: pg.Pool, environment: BenchEnvironment, metrics: number): Promise<Figures> {
  let begun = performance.now()
  const { tenantId, windows } = await seedWindows(pool, metrics, WINDOWS)
  await pool.query('checkpoint')
  note(`${windows} windows of ${metrics} metrics stored`, begun)
  begun = performance.now()
  await bareScores(pool, tenantId)
  const bareSeconds = (performance.now() - begun) / 1000
  await expectScores(pool, windows)
  note('as many scores written, and nothing else', begun)
  await pool.query('truncate anomaly_scores')
  await pool.query('checkpoint')
  const run = await measuredRun(['score', '--all'], environment)
  await expectScores(pool, windows)
  return { ...run, windows, bareSeconds }
}

/** It takes minutes: on stderr, who waits sees it get on. */
const note = (done: string, begun: number) =>
  console.error(`${done} in ${((performance.now() - begun) / 1000).toFixed(1)} s`)

async function expectScores(pool: pg.Pool, windows: number): Promise<void> {
  const { rows } = await pool.query<{ n: number }>('select count(*)::int as n from anomaly_scores')
  if (rows[0]?.n !== windows) throw new Error(`${rows[0]?.n} score rows for ${windows} windows.`)
}

async function measureBoth(environment: BenchEnvironment): Promise<{ few: Figures; many: Figures }> {
  const pool = openPool(environment.DATABASE_URL)
  try {
    const few = await measure(pool, environment, FEW)
    await pool.query('truncate tenants cascade')
    return { few, many: await measure(pool, environment, MANY) }
  } finally {
    await pool.end()
  }
}

const tell = (line: object) => console.log(JSON.stringify(line))

const { few, many } = await withPostgres({ durable: true }, measureBoth)
tell({
  name: 'score_rate',
  ratio: rounded(many.seconds / many.bareSeconds),
  windows: many.windows,
  seconds: rounded(many.seconds),
  bare_seconds: rounded(many.bareSeconds),
  ...(many.peakMebibytes === undefined ? {} : { peak_mebibytes: many.peakMebibytes }),
})
const timeOf = ({ seconds, windows }: Figures) => seconds / windows
tell({ name: 'growth', of: 'score_rate', ratio: rounded(timeOf(many) / timeOf(few)) })
