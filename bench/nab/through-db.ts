import { randomUUID } from 'node:crypto'
import path from 'node:path'
import type pg from 'pg'
import { inTransaction, isConflict, openPool, scopedDatabase } from '../../ml-service/database.ts'
import type { LoadedBatch } from '../../telemetry/batch-rows.ts'
import { markDue } from '../../telemetry/batch-statements.ts'
import { batchTransactions, newBatchTransactions } from '../../telemetry/batch-transactions.ts'
import { type Columns, groupBySeries } from '../../telemetry/columns.ts'
import { seededRandom } from '../../telemetry/random.ts'
import { metricIdOf } from '../../telemetry/series-id.ts'
import { Sketch } from '../../telemetry/sketch.ts'
import { windowStartOf } from '../../telemetry/window.ts'
import { partOfDatapoints, type WindowPart } from '../../telemetry/window-features.ts'
import { measuredRun } from '../score/measured-run.ts'
import type { BenchEnvironment } from '../with-postgres.ts'
import { type Question, questionsOf, scoresOf } from './questions.ts'
import { type Stage, stagesOf } from './stages.ts'
import { insertParts, selectOnsetScores } from './through-db-sql.ts'

/** The rows of a file, in its order. */
export interface NamedRows {
  /** `category/file.csv`: the category becomes the device. */
  name: string
  times: Float64Array
  /** NaN where a row holds no number. */
  values: Float64Array
}

/** A file as a metric, which is stored and scored stage by stage. */
interface StagedFile extends NamedRows {
  tenantId: string
  metricId: string
  questions: Question[]
  stages: Stage[]
  answers: Float64Array
}

/**
 * The scores of `scoreRows` by way of Postgres and the command line. Rows are stored as the queue consumer stores
 * them; then `train --all` and `score --all` run as a user would run them, in a process of their own, and the rows'
 * scores are read from `anomaly_scores`. What a row tells depends on nothing later, so rows that change a window
 * already told wait for the next run.
 */
export async function scoreThroughDb(
  files: NamedRows[],
  environment: BenchEnvironment,
): Promise<{ scores: Float64Array[]; runs: number }> {
  const pool = openPool(environment.DATABASE_URL)
  try {
    const tenantId = randomUUID()
    await pool.query('insert into tenants (id, name) values ($1, $2)', [tenantId, `bench ${tenantId}`])
    const staged = files.map((file) => stagedFile(tenantId, file))
    const runs = Math.max(0, ...staged.map(({ stages }) => stages.length))
    for (let run = 0; run < runs; run += 1) {
      const open = staged.filter(({ stages }) => run < stages.length)
      for (const file of open) await storeStage(pool, file, run)
      if (run === 0) await measuredRun(['train', '--all'], environment)
      await measuredRun(['score', '--all'], environment)
      for (const file of open) await readAnswers(pool, file, run)
    }
    const scores = staged.map(({ times, questions, answers }) => scoresOf(times.length, questions, answers))
    return { scores, runs }
  } finally {
    await pool.end()
  }
}

function stagedFile(tenantId: string, file: NamedRows): StagedFile {
  const questions = questionsOf(file.times, file.values)
  return {
    ...file,
    tenantId,
    metricId: metricIdOf(tenantId, ...namesOf(file)),
    questions,
    stages: stagesOf(file.times, file.values, questions),
    answers: new Float64Array(questions.length),
  }
}

const namesOf = ({ name }: NamedRows): [device: string, metric: string] => [
  path.posix.dirname(name),
  path.posix.basename(name, '.csv'),
]

/** Rows of one batch that share a timestamp are one datapoint, the last one, as at the edge. */
async function storeStage(pool: pg.Pool, file: StagedFile, run: number): Promise<void> {
  const { tenantId, metricId, times, values, stages } = file
  const { from, to } = stages[run]!
  const rows = Array.from({ length: to - from }, (_, i) => from + i).filter((row) =>
    Number.isFinite(values[row]),
  )
  const [device, metric] = namesOf(file)
  const { columns } = groupBySeries({
    names: [{ device, metric, unit: null }],
    seriesOf: new Uint32Array(rows.length),
    ts: Float64Array.from(rows, (row) => times[row]!),
    values: Float64Array.from(rows, (row) => values[row]!),
  })
  const batchId = `${metricId}-${run}`
  const batch = {
    batchId,
    r2Key: `raw/${tenantId}/${batchId}`,
    shard: 0,
    receivedAt: run,
    rejected: 0,
    columns,
  }
  await storeBatch(pool, tenantId, batch)
  await inTransaction(pool, file, async (db) => {
    await insertParts(db, file, partsOf(columns), run)
    await db.query(markDue(tenantId, [metricId]))
  })
}

/** As the consumer does: as if nothing of it were there, and with care where something is. */
async function storeBatch(pool: pg.Pool, tenantId: string, batch: LoadedBatch): Promise<void> {
  const storeBy = async (transactions: typeof batchTransactions) => {
    for (const statements of transactions(tenantId, [batch], batch.receivedAt)) {
      await inTransaction(pool, { tenantId }, async (db) => {
        for (const statement of statements) await db.query(statement)
      })
    }
  }
  try {
    await storeBy(newBatchTransactions)
  } catch (error) {
    if (!isConflict(error)) throw error
    await storeBy(batchTransactions)
  }
}

/** The windows of a batch's only series, as its shard flushes them. */
function partsOf({ ts, values }: Columns): WindowPart[] {
  const parts: WindowPart[] = []
  for (let from = 0; from < ts.length; ) {
    const windowStart = windowStartOf(ts[from]!)
    let to = from + 1
    while (to < ts.length && windowStartOf(ts[to]!) === windowStart) to += 1
    const inWindow = [...values.subarray(from, to)]
    const sketch = new Sketch(seededRandom(windowStart))
    for (const value of inWindow) sketch.add(value)
    const part = partOfDatapoints(windowStart, [...ts.subarray(from, to)], inWindow)
    parts.push({ ...part, sketch: sketch.toBytes() })
    from = to
  }
  return parts
}

/** Throws where a window that was asked for has no score. */
async function readAnswers(pool: pg.Pool, file: StagedFile, run: number): Promise<void> {
  const { questions, answers, stages } = file
  const { first, last } = stages[run]!
  const asked = questions.slice(first, last).map(({ windowStart }) => windowStart)
  const oldest = asked.reduce((least, start) => Math.min(least, start), Number.POSITIVE_INFINITY)
  const scores = await selectOnsetScores(scopedDatabase(pool, file), file, oldest)
  for (const [i, start] of asked.entries()) {
    const score = scores.get(start)
    if (score === undefined) throw new Error(`${file.name} has no score at ${new Date(start).toISOString()}.`)
    answers[first + i] = score
  }
}
