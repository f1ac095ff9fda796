// Wall time of `score --all` over 10,000 metrics with 24 h of windows ÷ that of reading the same windows and writing
// as many score rows and nothing else, and its growth. Prints a JSON object a line; `bench.ts` runs it in a process
// of its own.
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pg from 'pg'
import { freePort } from '../../local/ports.ts'
import { startPostgres } from '../../local/postgres.ts'
import { migrate } from '../../migrations/migrate.ts'
import { rounded } from '../statistics.ts'
import { bareScores } from './bare-scores.ts'
import { type MeasuredRun, measuredRun } from './measured-run.ts'
import { seedWindows } from './seed-windows.ts'

const [FEW, MANY] = [100, 10_000]
const WINDOWS = 288

interface Figures extends MeasuredRun {
  windows: number
  bareSeconds: number
}

/** Both sides over the same windows, the bare one first; each finds the tables of scores empty. */
async function measure(pool: pg.Pool, databaseUrl: string, dir: string, metrics: number): Promise<Figures> {
  const { tenantId, windows } = await seedWindows(pool, metrics, WINDOWS)
  await pool.query('checkpoint')
  const begun = performance.now()
  await bareScores(pool, tenantId)
  const bareSeconds = (performance.now() - begun) / 1000
  await expectScores(pool, windows)
  await pool.query('truncate anomaly_scores')
  await pool.query('checkpoint')
  const modelDir = path.join(dir, `models-${metrics}`)
  const run = await measuredRun(['score', '--all'], { DATABASE_URL: databaseUrl, MODEL_DIR: modelDir })
  await expectScores(pool, windows)
  return { ...run, windows, bareSeconds }
}

async function expectScores(pool: pg.Pool, windows: number): Promise<void> {
  const { rows } = await pool.query<{ n: number }>('select count(*)::int as n from anomaly_scores')
  if (rows[0]?.n !== windows) throw new Error(`${rows[0]?.n} score rows for ${windows} windows.`)
}

async function measureBoth(): Promise<{ few: Figures; many: Figures }> {
  const dir = await mkdtemp(path.join(tmpdir(), 'edgepulse-bench-'))
  await chmod(dir, 0o755) // run as root, Postgres is another user and must get in
  await mkdir(path.join(dir, 'models'))
  const postgres = await startPostgres({ dir: path.join(dir, 'pg'), port: await freePort() })
  const pool = new pg.Pool({ connectionString: postgres.databaseUrl, max: 2 })
  try {
    await migrate(postgres.databaseUrl)
    const few = await measure(pool, postgres.databaseUrl, dir, FEW)
    await pool.query('truncate tenants cascade')
    const many = await measure(pool, postgres.databaseUrl, dir, MANY)
    return { few, many }
  } finally {
    await pool.end()
    await postgres.stop()
    await rm(dir, { recursive: true, force: true })
  }
}

const tell = (line: object) => console.log(JSON.stringify(line))

const { few, many } = await measureBoth()
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
