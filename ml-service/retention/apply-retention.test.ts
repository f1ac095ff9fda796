import { randomUUID } from 'node:crypto'
import { createInterface } from 'node:readline'
import { describe, expect, it } from 'vitest'
import { DAY_MS, dataKeptFrom } from '../../telemetry/retention-periods.ts'
import type { Series } from '../metric-lookup.ts'
import { dateOf, EmptyDatabase } from '../testing/empty-database.ts'
import { runCli, startCli } from '../testing/run-cli.ts'
import { addEndpoint, addRule } from '../testing/seed-alerting.ts'
import type { Point } from '../testing/seed-tenant.ts'
import { applyRetention } from './apply-retention.ts'
import { countDefault, ensurePartitions } from './retention-sql.ts'

/** The borders of windows, days and plans are half an hour from the nearest datapoint. */
const NOW = Date.UTC(2001, 5, 15, 12, 30)
const TODAY = Date.UTC(2001, 5, 15)
const HOUR_MS = 3_600_000

const database = new EmptyDatabase()

/** Everything a tenant has of every hour of 40 days, and where the plan draws the line. */
async function seedFortyDays(retentionDays: number, now = NOW) {
  const tenant = await database.tenant(retentionDays)
  const series = await tenant.series('pump', 'temperature')
  const points = Array.from({ length: 40 * 24 }, (_, i): Point => [now - HOUR_MS / 2 - i * HOUR_MS, i])
  await tenant.write(series, points, { datapoints: true })
  const of = [tenant.tenantId, series.metricId]
  await database.pool.query(
    `insert into anomaly_scores (tenant_id, metric_id, window_start, window_end, score, onset_score, state, scored_at)
     select tenant_id, metric_id, window_start, window_start + interval '300 s', 0, 0, 'learning', window_start
     from window_aggregates where tenant_id = $1`,
    [tenant.tenantId],
  )
  await database.pool.query(
    `insert into batches (tenant_id, batch_id, r2_key, status, received_at)
     select tenant_id, ts::text, 'k', 'persisted', ts from datapoints where tenant_id = $1 and metric_id = $2`,
    of,
  )
  await database.pool.query(
    `insert into dead_letters (tenant_id, body, reason, created_at)
     select tenant_id, jsonb_build_object('tenant_id', tenant_id, 'batch_id', 'f' || ts), 'r', ts from datapoints
     where tenant_id = $1 and metric_id = $2`,
    of,
  )
  await database.pool.query(
    `insert into batches (tenant_id, batch_id, r2_key, status)
     select tenant_id, body->>'batch_id', 'k', 'failed' from dead_letters where tenant_id = $1`,
    [tenant.tenantId],
  )
  await seedFixedPeriods(series, now)
  const dataFrom = dataKeptFrom(retentionDays, now)
  const batchesFrom = now - (retentionDays + 1) * DAY_MS
  const times = points.map(([ts]) => ts).sort((a, b) => a - b)
  return {
    tenant,
    now,
    data: times.filter((ts) => ts >= dataFrom),
    batches: times.filter((ts) => ts >= batchesFrom),
  }
}

/** One row on either side of every period that is not the plan's, and one that stays however old. */
async function seedFixedPeriods({ tenantId, metricId }: Series, now: number): Promise<void> {
  const { id: endpointId } = await addEndpoint(database.pool, tenantId, 'https://example.com')
  const ruleId = await addRule(database.pool, tenantId)
  for (const [days, state] of [
    [399, 'resolved'],
    [401, 'resolved'],
    [402, 'open'],
  ] as const) {
    await database.pool.query(
      `insert into alert_events (tenant_id, id, rule_id, metric_id, window_end, score, threshold, state, opened_at)
       values ($1, $2, $3, $4, $5, 2, 1, $6, $5)`,
      [tenantId, randomUUID(), ruleId, metricId, new Date(now - days * DAY_MS), state],
    )
  }
  for (const [days, state] of [
    [29, 'delivered'],
    [31, 'failed'],
    [32, 'pending'],
  ] as const) {
    await database.pool.query(
      `insert into webhook_deliveries (tenant_id, id, webhook_id, event_key, type, body, state, created_at)
       values ($1, $2, $3, $4, 'webhook.test', '{}', $5, $6)`,
      [tenantId, randomUUID(), endpointId, state, state, new Date(now - days * DAY_MS)],
    )
  }
  for (const days of [0, 799, 801]) {
    await database.pool.query('insert into usage_daily (tenant_id, day) values ($1, $2)', [
      tenantId,
      dateOf(now - days * DAY_MS),
    ])
  }
}

type Seeded = Awaited<ReturnType<typeof seedFortyDays>>

async function expectExactlyWhatIsDue({ tenant, now, data, batches }: Seeded): Promise<void> {
  const windows = data.map((ts) => Math.floor(ts / 300_000) * 300_000)
  expect(await database.times('datapoints', 'ts', tenant)).toEqual(data)
  expect(await database.times('window_aggregates', 'window_start', tenant)).toEqual(windows)
  expect(await database.times('anomaly_scores', 'window_start', tenant)).toEqual(windows)
  expect(await database.times('batches', 'received_at', tenant)).toEqual(
    [...batches, ...batches.map(() => null)].sort(nullsLast),
  )
  expect(await database.times('dead_letters', 'created_at', tenant)).toEqual(batches)
  const ages = (times: number[]) => times.map((at) => Math.round((now - at) / DAY_MS))
  expect(ages(await database.times('alert_events', 'opened_at', tenant))).toEqual([402, 399])
  expect(ages(await database.times('webhook_deliveries', 'created_at', tenant))).toEqual([32, 29])
  expect(await database.times('usage_daily', 'day', tenant)).toHaveLength(2)
  expect(await database.times('metrics', 'created_at', tenant)).toHaveLength(1)
}

const nullsLast = (a: number | null, b: number | null) => (a === null ? 1 : b === null ? -1 : a - b)

describe('40 days of tenants that keep 7, 30 and 90', () => {
  it('leave exactly what each is due, in every table, and again', async () => {
    const seeded = [await seedFortyDays(7), await seedFortyDays(30), await seedFortyDays(90)]
    const { deleted } = await applyRetention(database.pool, NOW)
    for (const one of seeded) await expectExactlyWhatIsDue(one)
    const due = seeded.reduce((sum, { data }) => sum + data.length, 0)
    expect(deleted).toMatchObject({
      datapoints: 3 * 960 - due,
      alert_events: 3,
      webhook_deliveries: 3,
      usage_daily: 3,
    })
    expect(await countDefault(database.pool, 9)).toBe(0)
    const again = await applyRetention(database.pool, NOW)
    expect(Object.values(again.deleted)).toEqual(Object.values(again.deleted).map(() => 0))
    expect(again).toMatchObject({ daysMade: 0, daysDropped: 0, daysEmptied: 0, daysPostponed: 0 })
  })

  it('end the same when the command is killed again and again, and when two are at it', async () => {
    const now = Date.now()
    const seeded = [await seedFortyDays(7, now), await seedFortyDays(30, now), await seedFortyDays(90, now)]
    const env = { DATABASE_URL: database.url }
    for (const lines of [1, 2, 3]) {
      const child = startCli(['retention'], env)
      let told = 0
      for await (const _ of createInterface({ input: child.stderr! })) {
        told += 1
        if (told === lines) child.kill('SIGKILL')
      }
    }
    const both = await Promise.all([runCli(['retention'], env), runCli(['retention'], env)])
    expect(both.map(({ code }) => code)).toEqual([0, 0])
    expect(both[0]!.stdout).toMatch(/^deleted \d+ .*; days: \d+ made, \d+ emptied, \d+ dropped\n$/)
    for (const one of seeded) await expectExactlyWhatIsDue(one)
  })

  it('lose their days as a whole when all of them are the same', async () => {
    const one = await seedFortyDays(7)
    await ensurePartitions(database.pool, TODAY - 40 * DAY_MS, TODAY)
    const { deleted, daysDropped, daysEmptied } = await applyRetention(database.pool, NOW)
    await expectExactlyWhatIsDue(one)
    expect({ daysDropped, daysEmptied }).toEqual({ daysDropped: 29, daysEmptied: 4 })
    expect(deleted.datapoints).toBe(13) // of the day that the border runs through
  })
})
