import type { ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { beforeEach, expect, it } from 'vitest'
import { ownDatabase } from '../testing/own-database.ts'
import { runCli, startCli } from '../testing/run-cli.ts'
import { addEndpoint, addRule } from '../testing/seed-alerting.ts'
import { type SeededTenant, seedTenant } from '../testing/seed-tenant.ts'
import { steadyPoints, WINDOW } from '../testing/synthetic.ts'
import { claimDue } from './due-sql.ts'

const WINDOWS = 400
const SPIKES = [200, 300]
/** The same for all tests: what two runs are compared by must not move with the clock. */
const START = Math.floor(Date.now() / WINDOW) * WINDOW - WINDOWS * WINDOW

// `score --all` works on everything that is due, so these tests have a database of their own.
const { pool, url } = ownDatabase()
beforeEach(() => pool().query('delete from tenants'))

const environment = (tenant: SeededTenant) => ({ DATABASE_URL: url(), MODEL_DIR: tenant.modelDir })

/** A tenant whose metrics each have two spikes within the last day, a rule on all and one endpoint. */
async function seeded(metrics: number) {
  const tenant = await seedTenant(pool())
  await addRule(pool(), tenant.tenantId)
  await addEndpoint(pool(), tenant.tenantId, 'https://receiver.example/')
  const change = (i: number, value: number) => (SPIKES.includes(i) ? value + 50 : value)
  const seeds = Array.from({ length: metrics }, (_, i) => i).values()
  const seed = async () => {
    for (const i of seeds) {
      const series = await tenant.series('pump', `m${i}`)
      await tenant.write(series, steadyPoints(START, WINDOWS, { seed: i, change }))
    }
  }
  await Promise.all([seed(), seed(), seed()])
  return tenant
}

/** What the scores say, by metric, whatever run wrote them. */
async function scoresByName(tenantId: string) {
  const { rows } = await pool().query(
    `select m.name, s.window_end, s.score, s.onset_score, s.state, s.reasons, s.expected_low, s.expected_high, s.deviation
     from anomaly_scores s join metrics m on m.tenant_id = s.tenant_id and m.id = s.metric_id
     where s.tenant_id = $1 order by 1, 2`,
    [tenantId],
  )
  return rows
}

async function outcome(tenantId: string) {
  const count = async (sql: string) => Number((await pool().query(sql, [tenantId])).rows[0].n)
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

/** Waits until a scorer's transaction has done all its work but for the counter that `holder` has locked. */
async function untilBlocked(): Promise<void> {
  const blocked = `select 1 from pg_stat_activity where application_name = 'edgepulse-ml'
    and datname = current_database() and wait_event_type = 'Lock' and query like '%insert into usage_daily%'`
  while ((await pool().query(blocked)).rowCount === 0);
}

/** Locks what every scoring transaction of the tenant wants last; returns what lets it go. */
async function holdCounter(tenantId: string): Promise<() => Promise<void>> {
  const day = new Date().toISOString().slice(0, 10)
  await pool().query('insert into usage_daily (tenant_id, day, shard) values ($1, $2, 0)', [tenantId, day])
  const holder = await pool().connect()
  await holder.query('begin')
  await holder.query('select 1 from usage_daily where tenant_id = $1 for update', [tenantId])
  return async () => {
    await holder.query('rollback')
    holder.release()
  }
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
  const { rows } = await pool().query('select distinct metric_id from models where tenant_id = $1', [
    tenant.tenantId,
  ])
  expect(rows).toHaveLength(3)
})

it('writes nothing of a chunk whose process is killed before the commit, and gives it to the next at once', async () => {
  const metrics = 30
  const tenant = await seeded(metrics)
  const release = await holdCounter(tenant.tenantId)
  const child = startCli(['score', '--all'], environment(tenant))
  await untilBlocked()
  child.kill('SIGKILL')
  await once(child, 'close')
  await release()
  expect(await outcome(tenant.tenantId)).toMatchObject({ due: metrics, scores: 0, usage: 0, deliveries: 0 })
  expect((await runCli(['score', '--all'], environment(tenant))).code).toBe(0)
  expect(await outcome(tenant.tenantId)).toEqual(whole(metrics))
})

it('takes a chunk away from a holder that is never heard of again, within a minute', async () => {
  const tenant = await seeded(1)
  const holder = await pool().connect()
  let ended: Error | undefined
  holder.on('error', (error) => {
    ended = error
  })
  await holder.query('begin')
  expect(await claimDue(holder, [], 10)).toHaveLength(1)
  const { rows } = await holder.query('show idle_in_transaction_session_timeout')
  expect(rows).toEqual([{ idle_in_transaction_session_timeout: '45s' }])
  await holder.query("set local idle_in_transaction_session_timeout = '200ms'") // so as not to wait so long
  expect((await runCli(['score', '--all'], environment(tenant))).code).toBe(0)
  expect(ended?.message).toMatch(/idle-in-transaction timeout|terminat/)
  holder.release(true)
  expect(await outcome(tenant.tenantId)).toEqual(whole(1))
})

it('shares the work between processes, one of them killed, with the scores of one undisturbed run', async () => {
  const metrics = 220
  const undisturbed = await seeded(metrics)
  expect((await runCli(['score', '--all'], environment(undisturbed))).code).toBe(0)
  const expected = await scoresByName(undisturbed.tenantId)
  const shared = await seeded(metrics)
  const env = environment(shared)
  const victim = startCli(['score', '--all'], env)
  const others = [1, 2, 3].map(() => runCli(['score', '--all'], env))
  await untilScored(shared.tenantId, 1)
  victim.kill('SIGKILL')
  const runs = await Promise.all(others)
  expect(runs.map(({ code }) => code)).toEqual([0, 0, 0])
  expect(await outcome(shared.tenantId)).toEqual(whole(metrics))
  expect(await scoresByName(shared.tenantId)).toEqual(expected)
}, 90_000)

it('finishes the chunks at hand when it is told to stop, and exits 0', async () => {
  const tenant = await seeded(60)
  const release = await holdCounter(tenant.tenantId)
  const child = startCli(['score', '--all'], environment(tenant))
  await untilBlocked()
  child.kill('SIGTERM')
  await release()
  expect((await once(child, 'close'))[0]).toBe(0)
  const { scores, usage, due } = await outcome(tenant.tenantId)
  expect(scores).toBeGreaterThan(0)
  expect([usage, due * WINDOWS]).toEqual([scores, whole(60).scores - scores])
})

it('waits for a metric that another process holds', async () => {
  const tenant = await seeded(1)
  const holder = await pool().connect()
  await holder.query('begin')
  await holder.query('select 1 from due_metrics for update')
  const child: ChildProcess = startCli(['score', '--all'], environment(tenant))
  const ended = once(child, 'close')
  const asked = new Set<string>()
  while (asked.size < 10) {
    const { rows } = await pool().query(
      `select query_start::text as at from pg_stat_activity where application_name = 'edgepulse-ml'
       and datname = current_database()`,
    )
    for (const { at } of rows) asked.add(at)
  }
  expect(child.exitCode).toBeNull()
  await holder.query('rollback')
  holder.release()
  expect((await ended)[0]).toBe(0)
  expect(await outcome(tenant.tenantId)).toEqual(whole(1))
})

it('goes on after a metric that fails, says so in the log and by exit code 1, and keeps it due', async () => {
  const tenant = await seeded(3)
  const { rows } = await pool().query(
    `update window_aggregates set shard = 1, sketch = '\\x00' where tenant_id = $1 and metric_id = (
       select id from metrics where tenant_id = $1 and name = 'm1') returning metric_id`,
    [tenant.tenantId],
  )
  await pool().query(
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
      event: 'scoring_failed',
      tenant_id: tenant.tenantId,
      metric_id: rows[0].metric_id,
    }),
  ])
  expect((await outcome(tenant.tenantId)).due).toBe(1)
})

it('blames no metric for a database that was not migrated, and fails once', async () => {
  const tenant = await seeded(3)
  await pool().query('alter table anomaly_scores rename column reasons to why')
  try {
    const { code, stderr } = await runCli(['score', '--all'], environment(tenant))
    const [only, ...others] = stderr.trim().split('\n')
    expect([code, others]).toEqual([1, []])
    expect(JSON.parse(only!)).toMatchObject({ level: 'error', error: expect.stringContaining('reasons') })
  } finally {
    await pool().query('alter table anomaly_scores rename column why to reasons')
  }
})

/** Metrics that have been scored once, and of which the first one's newest artefact is now `change`d. */
async function withArtefact(change: (file: string) => { text: string } | undefined) {
  const tenant = await seeded(3)
  await runCli(['score', '--all'], environment(tenant))
  const { rows } = await pool().query(
    `select m.id, m.path, m.metric_id from models m join metrics s on s.tenant_id = m.tenant_id and s.id = m.metric_id
     where m.tenant_id = $1 and s.name = 'm0' order by trained_until desc limit 1`,
    [tenant.tenantId],
  )
  const [{ id, path: relative, metric_id: metricId }] = rows
  const file = path.join(tenant.modelDir, relative)
  const written = change(file)
  if (written !== undefined) {
    writeFileSync(file, written.text)
    const sha256 = createHash('sha256').update(written.text).digest('hex')
    await pool().query('update models set sha256 = $2 where id = $1', [id, sha256])
  }
  await pool().query('insert into due_metrics (tenant_id, metric_id) select tenant_id, id from metrics')
  const { code, stdout, stderr } = await runCli(['score', '--all'], environment(tenant))
  const lines = stderr.trim().split('\n')
  const errors = lines.map((line) => JSON.parse(line)).filter(({ level }) => level === 'error')
  return { code, stdout, errors, metricId, relative, file, tenantId: tenant.tenantId }
}

it.each([
  ['missing', (file: string) => rmSync(file)],
  ['damaged', (file: string) => appendFileSync(file, ' ')],
])(
  'says which artefact is %s, scores that metric from an older one, and the rest goes on',
  async (_, damage) => {
    const { code, stdout, errors, metricId, relative, file } = await withArtefact((at) => {
      damage(at)
      return undefined
    })
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^3 metrics: 0 windows scored, 0 changed/)])
    expect(errors).toEqual([expect.objectContaining({ metric_id: metricId, path: relative })])
    expect(existsSync(file)).toBe(true) // made again by the same walk
  },
)

it('leaves alone a metric whose artefact comes from a newer version, and the rest goes on', async () => {
  const newer = { text: '{"format":999}' }
  const { code, stdout, errors, metricId, file, tenantId } = await withArtefact(() => newer)
  expect([code, stdout]).toEqual([1, expect.stringMatching(/^2 metrics: 0 windows scored/)])
  expect(errors).toEqual([
    expect.objectContaining({ metric_id: metricId, error: expect.stringMatching(/format 999.*update/) }),
  ])
  expect(readFileSync(file, 'utf8')).toBe(newer.text)
  expect((await outcome(tenantId)).due).toBe(1)
})
