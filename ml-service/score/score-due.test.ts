import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, expect, inject, it } from 'vitest'
import { migrate } from '../../migrations/migrate.ts'
import { scratchDatabase } from '../../migrations/scratch-database.ts'
import { runCli, startCli } from '../test/run-cli.ts'
import { addEndpoint, addRule } from '../test/seed-alerting.ts'
import { type SeededTenant, seedTenant } from '../test/seed-tenant.ts'
import { steadyPoints, WINDOW } from '../test/synthetic.ts'

const WINDOWS = 400
const SPIKES = [200, 300]

// `score --all` works on everything that is due, so these tests have a database of their own.
let scratch: Awaited<ReturnType<typeof scratchDatabase>>
let pool: pg.Pool
beforeAll(async () => {
  scratch = await scratchDatabase(inject('databaseUrl'))
  await migrate(scratch.url)
  pool = new pg.Pool({ connectionString: scratch.url, max: 4 })
})
afterAll(async () => {
  await pool.end()
  await scratch.drop()
})
beforeEach(() => pool.query('delete from tenants'))

const environment = (tenant: SeededTenant) => ({ DATABASE_URL: scratch.url, MODEL_DIR: tenant.modelDir })

/** A tenant whose metrics each have two spikes within the last day, a rule on all and one endpoint. */
async function seeded(metrics: number) {
  const tenant = await seedTenant(pool)
  await addRule(pool, tenant.tenantId)
  await addEndpoint(pool, tenant.tenantId, 'https://receiver.example/')
  const start = Math.floor(Date.now() / WINDOW) * WINDOW - WINDOWS * WINDOW
  const change = (i: number, value: number) => (SPIKES.includes(i) ? value + 50 : value)
  for (let i = 0; i < metrics; i += 1) {
    const series = await tenant.series('pump', `m${i}`)
    await tenant.write(series, steadyPoints(start, WINDOWS, { seed: i, change }))
  }
  return tenant
}

async function outcome(tenantId: string) {
  const count = async (sql: string) => Number((await pool.query(sql, [tenantId])).rows[0].n)
  return {
    due: await count('select count(*) n from due_metrics where tenant_id = $1'),
    scores: await count('select count(*) n from anomaly_scores where tenant_id = $1'),
    usage: await count('select coalesce(sum(windows_scored), 0) n from usage_daily where tenant_id = $1'),
    events: await count('select count(*) n from alert_events where tenant_id = $1'),
    deliveries: await count('select count(*) n from webhook_deliveries where tenant_id = $1'),
  }
}

const whole = (metrics: number) => ({
  due: 0,
  scores: metrics * WINDOWS,
  usage: metrics * WINDOWS,
  events: metrics * SPIKES.length,
  deliveries: metrics * SPIKES.length * 2,
})

async function untilScored(tenantId: string, atLeast: number): Promise<void> {
  while ((await outcome(tenantId)).scores < atLeast);
}

it('exits 0 when nothing is due', async () => {
  const { code, stdout } = await runCli(['score', '--all'], environment(await seeded(0)))
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^0 metrics: 0 windows scored/)])
})

it('drains everything that is due and leaves a model for each metric with enough history', async () => {
  const tenant = await seeded(3)
  const { code, stdout } = await runCli(['score', '--all'], environment(tenant))
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^3 metrics: 1200 windows scored/)])
  expect(await outcome(tenant.tenantId)).toEqual(whole(3))
  const { rows } = await pool.query('select distinct metric_id from models where tenant_id = $1', [
    tenant.tenantId,
  ])
  expect(rows).toHaveLength(3)
})

it('loses and doubles nothing when a process is killed while it scores', async () => {
  const metrics = 40
  const tenant = await seeded(metrics)
  for (const atLeast of [1, 12 * WINDOWS]) {
    const child = startCli(['score', '--all'], environment(tenant))
    await untilScored(tenant.tenantId, atLeast)
    child.kill('SIGKILL')
    await once(child, 'close')
    const { due, scores, usage } = await outcome(tenant.tenantId)
    expect(due).toBeGreaterThan(0)
    expect(scores % WINDOWS).toBe(0)
    expect(usage).toBe(scores)
  }
  expect((await runCli(['score', '--all'], environment(tenant))).code).toBe(0)
  expect(await outcome(tenant.tenantId)).toEqual(whole(metrics))
})

it('shares the work between processes without doing any of it twice', async () => {
  const metrics = 30
  const tenant = await seeded(metrics)
  const runs = await Promise.all([1, 2, 3].map(() => runCli(['score', '--all'], environment(tenant))))
  expect(runs.map(({ code }) => code)).toEqual([0, 0, 0])
  const shares = runs.map(({ stdout }) => Number(stdout.split(' ')[0]))
  expect(shares.reduce((sum, share) => sum + share, 0)).toBe(metrics)
  expect(await outcome(tenant.tenantId)).toEqual(whole(metrics))
})

it('waits for a metric that another process holds', async () => {
  const tenant = await seeded(1)
  const holder = await pool.connect()
  await holder.query('begin')
  await holder.query('select 1 from due_metrics for update')
  const child: ChildProcess = startCli(['score', '--all'], environment(tenant))
  const ended = once(child, 'close')
  const asked =
    "select 1 from pg_stat_activity where application_name = 'edgepulse-ml' and query like '%from due_metrics%'"
  while ((await pool.query(asked)).rowCount === 0);
  expect(child.exitCode).toBeNull()
  await holder.query('rollback')
  holder.release()
  expect((await ended)[0]).toBe(0)
  expect(await outcome(tenant.tenantId)).toEqual(whole(1))
})

it('goes on after a metric that fails, says so in the log and by exit code 1, and keeps it due', async () => {
  const tenant = await seeded(3)
  const { rows } = await pool.query(
    `update window_aggregates set shard = 1, sketch = '\\x00' where tenant_id = $1 and metric_id = (
       select id from metrics where tenant_id = $1 and name = 'm1') returning metric_id`,
    [tenant.tenantId],
  )
  await pool.query(
    `insert into window_aggregates select tenant_id, metric_id, window_start, 0, part, count, mean, m2, min, max,
       median, mad, first_ts, last_ts, sketch from window_aggregates where metric_id = $1 limit 1`,
    [rows[0].metric_id],
  )
  const { code, stdout, stderr } = await runCli(['score', '--all'], environment(tenant))
  expect([code, stdout]).toEqual([1, expect.stringMatching(/^2 metrics: 800 windows scored/)])
  const failures = stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({ level }) => level === 'error')
  expect(failures).toEqual([
    expect.objectContaining({
      message: 'scoring failed',
      tenant_id: tenant.tenantId,
      metric_id: rows[0].metric_id,
    }),
  ])
  expect((await outcome(tenant.tenantId)).due).toBe(1)
})
