import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { expect, it, onTestFinished, vi } from 'vitest'
import { EmptyDatabase } from '../testing/empty-database.ts'
import { startCli } from '../testing/run-cli.ts'
import { seedWindows } from '../testing/seed-windows.ts'

const WINDOWS = 288
/** `npm run test:long` has more: enough that chances even out. */
const METRICS = Number(process.env['PROPERTY_RUNS'] ?? 240)
const IS_LONG = process.env['PROPERTY_RUNS'] !== undefined
const CASES = [
  { scorers: 3, killed: 1, metrics: METRICS },
  ...(IS_LONG ? [{ scorers: 5, killed: 2, metrics: 2.5 * METRICS }] : []),
]

const database = new EmptyDatabase()

/** A `score --all`, with the windows of the chunks that its log says it has committed. */
function startScorer(env: Record<string, string>) {
  const child = startCli(['score', '--all'], env)
  const scorer = { child, windows: 0, ended: once(child, 'close') }
  createInterface({ input: child.stderr! }).on('line', (line) => {
    const { event, scored, tenant_id: tenantId } = JSON.parse(line)
    if (event === 'scored' && tenantId !== undefined) scorer.windows += scored
  })
  child.stdout!.resume()
  return scorer
}

const sum = (values: number[]) => values.reduce((all, value) => all + value, 0)

it.each(CASES)(
  '$scorers processes at once over $metrics metrics, $killed of them killed, score every window once',
  async ({ scorers: count, killed, metrics }) => {
    const modelDir = mkdtempSync(path.join(tmpdir(), 'edgepulse-models-'))
    onTestFinished(() => rmSync(modelDir, { recursive: true, force: true }))
    const { tenantId, windows } = await seedWindows(database.pool, metrics, WINDOWS)
    const begun = performance.now()
    const env = { DATABASE_URL: database.url, MODEL_DIR: modelDir }
    const scorers = Array.from({ length: count }, () => startScorer(env))
    const victims = scorers.slice(0, killed)
    const survivors = scorers.slice(killed)
    // Each is in the midst of it.
    const isUnderWay = () => {
      expect(Math.min(...scorers.map((scorer) => scorer.windows))).toBeGreaterThan(0)
      expect(sum(scorers.map((scorer) => scorer.windows))).toBeGreaterThan(windows / 5)
    }
    await vi.waitFor(isUnderWay, { timeout: 120_000, interval: 20 })
    for (const { child } of victims) child.kill('SIGKILL')
    expect(await Promise.all(victims.map(({ ended }) => ended))).toEqual(victims.map(() => [null, 'SIGKILL']))
    expect(await Promise.all(survivors.map(({ ended }) => ended))).toEqual(survivors.map(() => [0, null]))
    const seconds = (performance.now() - begun) / 1000

    const { rows } = await database.pool.query(
      `select (select count(*) from due_metrics)::int as due, count(*)::int as metrics, min(n)::int as least,
       max(n)::int as most, (select sum(windows_scored) from usage_daily where tenant_id = $1)::int as counted
     from (select count(*) as n from anomaly_scores where tenant_id = $1 group by metric_id) of_metric`,
      [tenantId],
    )
    expect(rows).toEqual([{ due: 0, metrics, least: WINDOWS, most: WINDOWS, counted: windows }])
    const shares = survivors.map((survivor) => survivor.windows)
    const even = sum(shares) / shares.length
    const worst = Math.max(...shares.map((share) => Math.abs(share - even) / even))
    console.log(
      `${count} scorers, ${windows} windows in ${seconds.toFixed(1)} s: ${killed} killed after ` +
        `${victims.map((victim) => victim.windows).join(', ')}, the others scored ${shares.join(', ')} ` +
        `(within ${(100 * worst).toFixed(1)} % of even)`,
    )
    if (IS_LONG) expect(worst).toBeLessThan(0.2)
  },
  600_000,
)
