// Wall time of `score --all`, its start included, where each metric has one new window: with four weeks of history ÷ with
// a day. Prints a JSON object a line; `bench.ts` runs it in a process of its own.
import { openPool } from '../../ml-service/database.ts'
import { seedNextWindows, seedWindows } from '../../ml-service/testing/seed-windows.ts'
import { medianOf, rounded } from '../statistics.ts'
import { type BenchEnvironment, withPostgres } from '../with-postgres.ts'
import { type MeasuredRun, measuredRun } from './measured-run.ts'

const METRICS = 100
const [DAY, FOUR_WEEKS] = [288, 8064]
/** So many that a state is stored in one of them. */
const STEPS = 12

interface Figures {
  /** Median over the steps. */
  seconds: number
  /** The most memory of each, MiB, where the system tells. */
  peaks: number[]
}

async function measure(environment: BenchEnvironment, windows: number): Promise<Figures> {
  const pool = openPool(environment.DATABASE_URL)
  try {
    const { tenantId } = await seedWindows(pool, METRICS, windows)
    await measuredRun(['score', '--all'], environment)
    await pool.query('vacuum (analyze)')
    const runs: MeasuredRun[] = []
    for (let step = 0; step < STEPS; step += 1) {
      await seedNextWindows(pool, tenantId)
      runs.push(await measuredRun(['score', '--all'], environment))
    }
    return {
      seconds: medianOf(runs.map(({ seconds }) => seconds)),
      peaks: runs.flatMap(({ peakMebibytes }) => peakMebibytes ?? []),
    }
  } finally {
    await pool.end()
  }
}

const short = await withPostgres({ durable: true }, (environment) => measure(environment, DAY))
const long = await withPostgres({ durable: true }, (environment) => measure(environment, FOUR_WEEKS))
console.log(
  JSON.stringify({
    name: 'score_step',
    ratio: rounded(long.seconds / short.seconds),
    metrics: METRICS,
    seconds: rounded(long.seconds),
    seconds_with_a_day: rounded(short.seconds),
    ...(long.peaks.length === 0 ? {} : { peak_mebibytes: Math.max(...long.peaks) }),
  }),
)
