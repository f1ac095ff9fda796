import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, inject, it, onTestFinished } from 'vitest'
import { migrate } from '../../migrations/migrate.ts'
import { scratchDatabase } from '../../migrations/scratch-database.ts'
import { seededRandom } from '../../telemetry/random.ts'
import { scoreRows } from './score-rows.ts'
import { type NamedRows, scoreThroughDb } from './through-db.ts'

const MINUTE = 60_000
const START = Date.UTC(2026, 0, 1)

/** Rows with a noise of ±1 around 70; `arrive` says in which order they come, and may repeat them. */
function rows(
  name: string,
  count: number,
  stepMs: number,
  options: {
    values?: Record<number, number>
    arrive?: (order: number[]) => number[]
    late?: Record<number, number>
  },
): NamedRows {
  const random = seededRandom(count)
  const values = Array.from({ length: count }, (_, i) => options.values?.[i] ?? 70 + random() * 2 - 1)
  const order = (options.arrive ?? ((all) => all))([...values.keys()])
  return {
    name,
    times: Float64Array.from(order, (i) => START + i * stepMs),
    values: Float64Array.from(order, (i, row) => options.late?.[row] ?? values[i]!),
  }
}

const FILES = [
  rows('one/window-a-row.csv', 400, 5 * MINUTE, { values: { 250: 150, 320: Number.NaN, 350: 90 } }),
  // A window ends sooner than thought, and one goes on after it was told.
  rows('many/rows-a-window.csv', 1200, MINUTE, {
    values: { 1003: 150, 1004: 150, 1105: 99 },
    arrive: (order) => order.filter((i) => i < 1104 || i === 1105 || i > 1108),
  }),
  // A timestamp comes again with another value when its window was told, then an hour comes again, then an old value.
  rows('one/again-and-late.csv', 450, 2 * MINUTE, {
    arrive: (order) => [...order.slice(0, 443), 442, ...order.slice(410, 443), 300, ...order.slice(443)],
    late: { 443: 1400, 460: 75, 477: 1200 },
  }),
]

it('comes to the very scores of the direct path by way of Postgres and the command line', async () => {
  const scratch = await scratchDatabase(inject('databaseUrl'))
  const modelDir = mkdtempSync(path.join(tmpdir(), 'edgepulse-models-'))
  onTestFinished(async () => {
    rmSync(modelDir, { recursive: true, force: true })
    await scratch.drop()
  })
  await migrate(scratch.url)
  const { scores, runs } = await scoreThroughDb(FILES, { DATABASE_URL: scratch.url, MODEL_DIR: modelDir })
  expect(scores).toEqual(FILES.map(({ times, values }) => scoreRows(times, values)))
  expect(scores.map((file) => file.some((score) => score >= 1))).toEqual([true, true, true])
  expect(runs).toBe(4) // three times a row changes what was told
})
