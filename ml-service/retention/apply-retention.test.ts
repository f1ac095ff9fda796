import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { migrate } from '../../migrations/migrate.ts'
import { scratchDatabase } from '../../migrations/scratch-database.ts'
import { insertDatapoints } from '../../telemetry/batch-statements.ts'
import { DAY_MS, dataKeptFrom } from '../../telemetry/retention-periods.ts'
import { addEndpoint, addRule } from '../test/seed-alerting.ts'
import { type Point, type SeededTenant, seedTenant } from '../test/seed-tenant.ts'
import { applyRetention } from './apply-retention.ts'
import { countDefault, ensurePartitions, selectDays } from './retention-sql.ts'

const NOW = Date.UTC(2001, 5, 15, 12, 2)
const TODAY = Date.UTC(2001, 5, 15)
const HOUR_MS = 3_600_000

// Retention works on every tenant, so these tests have a database of their own.
let scratch: Awaited<ReturnType<typeof scratchDatabase>>
let pool: pg.Pool
beforeAll(async () => {
  scratch = await scratchDatabase(inject('databaseUrl'))
  await migrate(scratch.url)
  pool = new pg.Pool({ connectionString: scratch.url, max: 6 })
})
afterAll(async () => {
  await pool.end()
  await scratch.drop()
})
beforeEach(async () => {
  await pool.query('delete from tenants')
  await pool.query('delete from dead_letters')
  for (const day of await selectDays(pool)) await pool.query(`drop table ${nameOf(day)}`)
  await pool.query('truncate datapoints')
})

const dateOf = (day: number) => new Date(day).toISOString().slice(0, 10)
const nameOf = (day: number) => `datapoints_${dateOf(day).replaceAll('-', '')}`

const timesOf = async (
  table: string,
  column: string,
  { tenantId }: { tenantId: string },
): Promise<number[]> => {
  const { rows } = await pool.query(
    `select (extract(epoch from ${column}) * 1000)::float8 as at from ${table} where tenant_id = $1 order by 1`,
    [tenantId],
  )
  return rows.map(({ at }) => at)
}

async function tenantOf(retentionDays: number): Promise<SeededTenant> {
  const tenant = await seedTenant(pool)
  await pool.query('update tenants set retention_days = $2 where id = $1', [tenant.tenantId, retentionDays])
  return tenant
}

/** Everything a tenant has of every hour of 40 days, and where the plan draws the line. */
async function seedFortyDays(retentionDays: number) {
  const tenant = await tenantOf(retentionDays)
  const series = await tenant.series('pump', 'temperature')
  const points = Array.from({ length: 40 * 24 }, (_, i): Point => [NOW - i * HOUR_MS, i])
  await tenant.write(series, points, { datapoints: true })
  const of = [tenant.tenantId, series.metricId]
  const { id: endpointId } = await addEndpoint(pool, tenant.tenantId, 'https://example.com')
  const ruleId = await addRule(pool, tenant.tenantId)
  await pool.query(
    `insert into anomaly_scores (tenant_id, metric_id, window_start, window_end, score, onset_score, state, scored_at)
     select tenant_id, metric_id, window_start, window_start + interval '300 s', 0, 0, 'learning', window_start
     from window_aggregates where tenant_id = $1`,
    [tenant.tenantId],
  )
  await pool.query(
    `insert into batches (tenant_id, batch_id, r2_key, status, received_at)
     select tenant_id, ts::text, 'k', 'persisted', ts from datapoints where tenant_id = $1 and metric_id = $2`,
    of,
  )
  await pool.query(
    `insert into dead_letters (tenant_id, body, reason, created_at)
     select tenant_id, jsonb_build_object('tenant_id', tenant_id, 'batch_id', 'f' || ts), 'r', ts from datapoints
     where tenant_id = $1 and metric_id = $2`,
    of,
  )
  await pool.query(
    `insert into batches (tenant_id, batch_id, r2_key, status)
     select tenant_id, body->>'batch_id', 'k', 'failed' from dead_letters where tenant_id = $1`,
    [tenant.tenantId],
  )
  for (const [days, state] of [
    [399, 'resolved'],
    [401, 'resolved'],
    [402, 'open'],
  ] as const) {
    await pool.query(
      `insert into alert_events (tenant_id, id, rule_id, metric_id, window_end, score, threshold, state, opened_at)
       values ($1, $2, $3, $4, $5, 2, 1, $6, $5)`,
      [tenant.tenantId, randomUUID(), ruleId, series.metricId, new Date(NOW - days * DAY_MS), state],
    )
  }
  for (const [days, state] of [
    [29, 'delivered'],
    [31, 'failed'],
    [32, 'pending'],
  ] as const) {
    await pool.query(
      `insert into webhook_deliveries (tenant_id, id, webhook_id, event_key, type, body, state, created_at)
       values ($1, $2, $3, $4, 'webhook.test', '{}', $5, $6)`,
      [tenant.tenantId, randomUUID(), endpointId, state, state, new Date(NOW - days * DAY_MS)],
    )
  }
  for (const days of [0, 799, 801]) {
    await pool.query('insert into usage_daily (tenant_id, day) values ($1, $2)', [
      tenant.tenantId,
      dateOf(NOW - days * DAY_MS),
    ])
  }
  const dataFrom = dataKeptFrom(retentionDays, NOW)
  const batchesFrom = NOW - (retentionDays + 1) * DAY_MS
  const times = points.map(([ts]) => ts).sort((a, b) => a - b)
  return {
    tenant,
    data: times.filter((ts) => ts >= dataFrom),
    batches: times.filter((ts) => ts >= batchesFrom),
  }
}

type Seeded = Awaited<ReturnType<typeof seedFortyDays>>

async function expectExactlyWhatIsDue({ tenant, data, batches }: Seeded): Promise<void> {
  const windows = data.map((ts) => Math.floor(ts / 300_000) * 300_000)
  expect(await timesOf('datapoints', 'ts', tenant)).toEqual(data)
  expect(await timesOf('window_aggregates', 'window_start', tenant)).toEqual(windows)
  expect(await timesOf('anomaly_scores', 'window_start', tenant)).toEqual(windows)
  expect(await timesOf('batches', 'received_at', tenant)).toEqual(
    [...batches, ...batches.map(() => null)].sort(nullsLast),
  )
  expect(await timesOf('dead_letters', 'created_at', tenant)).toEqual(batches)
  const ages = (times: number[]) => times.map((at) => Math.round((NOW - at) / DAY_MS))
  expect(ages(await timesOf('alert_events', 'opened_at', tenant))).toEqual([402, 399])
  expect(ages(await timesOf('webhook_deliveries', 'created_at', tenant))).toEqual([32, 29])
  expect(await timesOf('usage_daily', 'day', tenant)).toHaveLength(2)
  expect(await timesOf('metrics', 'created_at', tenant)).toHaveLength(1)
}

const nullsLast = (a: number | null, b: number | null) => (a === null ? 1 : b === null ? -1 : a - b)

/** The rows that a table holds, and how many of them in total. */
const total = async (table: string) =>
  Number((await pool.query(`select count(*) from ${table}`)).rows[0].count)

describe('40 days of tenants that keep 7, 30 and 90', () => {
  it('leave exactly what each is due, in every table, and again', async () => {
    const seeded = [await seedFortyDays(7), await seedFortyDays(30), await seedFortyDays(90)]
    const { deleted } = await applyRetention(pool, NOW)
    for (const one of seeded) await expectExactlyWhatIsDue(one)
    const due = seeded.reduce((sum, { data }) => sum + data.length, 0)
    expect(deleted).toMatchObject({
      datapoints: 3 * 960 - due,
      alert_events: 3,
      webhook_deliveries: 3,
      usage_daily: 3,
    })
    expect(await countDefault(pool, 9)).toBe(0)
    const again = await applyRetention(pool, NOW)
    expect(Object.values(again.deleted)).toEqual(Object.values(again.deleted).map(() => 0))
    expect(again).toMatchObject({ daysMade: 0, daysDropped: 0, daysEmptied: 0, daysPostponed: 0 })
  })

  it('end the same when the run is killed again and again, and when two runs are at it', async () => {
    const seeded = [await seedFortyDays(7), await seedFortyDays(30), await seedFortyDays(90)]
    for (let kills = 0; kills < 3; kills += 1) {
      let chunks = 0
      const stop = new Error('killed')
      const onChunk = () => {
        chunks += 1
        if (chunks > 2 * kills) throw stop
      }
      await expect(applyRetention(pool, NOW, { onChunk })).rejects.toBe(stop)
    }
    await Promise.all([applyRetention(pool, NOW), applyRetention(pool, NOW)])
    await applyRetention(pool, NOW)
    for (const one of seeded) await expectExactlyWhatIsDue(one)
  })

  it('lose their days as a whole when all of them are the same', async () => {
    const one = await seedFortyDays(7)
    await ensurePartitions(pool, TODAY - 40 * DAY_MS, TODAY)
    const { deleted, daysDropped, daysEmptied } = await applyRetention(pool, NOW)
    await expectExactlyWhatIsDue(one)
    expect({ daysDropped, daysEmptied }).toEqual({ daysDropped: 29, daysEmptied: 4 })
    expect(deleted.datapoints).toBe(12) // of the day that the border runs through
  })
})

describe('days', () => {
  it('are there for all that may be kept, and 14 days ahead', async () => {
    await tenantOf(30)
    await applyRetention(pool, NOW)
    const days = await selectDays(pool)
    expect([days[0], days.at(-1)]).toEqual([TODAY - 30 * DAY_MS, TODAY + 14 * DAY_MS])
    expect(days).toHaveLength(45)
  })

  it('are emptied when no tenant keeps them any more, and dropped once the queues’ life has passed', async () => {
    const tenant = await tenantOf(1)
    const series = await tenant.series('pump', 'temperature')
    await applyRetention(pool, TODAY)
    await tenant.write(series, [[TODAY + 1, 1]], { datapoints: true })
    const has = async () => [await total('datapoints'), (await selectDays(pool)).includes(TODAY)]
    await applyRetention(pool, TODAY + 2 * DAY_MS - 1)
    expect((await selectDays(pool))[0]).toBe(TODAY - DAY_MS)
    expect((await has())[1]).toBe(true)
    await tenant.write(series, [[TODAY + 2, 1]], { datapoints: true }) // it was on its way for as long
    await applyRetention(pool, TODAY + 2 * DAY_MS)
    expect(await has()).toEqual([0, true])
    await applyRetention(pool, TODAY + 6 * DAY_MS - 1)
    expect(await has()).toEqual([0, true])
    await applyRetention(pool, TODAY + 6 * DAY_MS)
    expect(await has()).toEqual([0, false])
  })

  it('stay while somebody uses them, and writers come through', async () => {
    const tenant = await tenantOf(1)
    const { metricId } = await tenant.series('pump', 'temperature')
    await applyRetention(pool, NOW)
    await ensurePartitions(pool, TODAY - 9 * DAY_MS, TODAY)
    const reader = await pool.connect()
    await reader.query('begin')
    await reader.query('select 1 from datapoints limit 1')
    const run = applyRetention(pool, NOW, { pausesMs: [50, 50, 50] })
    let running = true
    const writing = (async () => {
      let written = 0
      for (; running; written += 1)
        await pool.query(insertDatapoints(tenant.tenantId, [metricId], pointAt(NOW + written)))
      return written
    })()
    expect(await run).toMatchObject({ daysDropped: 0, daysPostponed: 4 })
    running = false
    expect(await writing).toBeGreaterThan(0)
    await reader.query('rollback')
    reader.release()
    expect(await total('datapoints')).toBe(await writing)
    expect(await applyRetention(pool, NOW)).toMatchObject({ daysDropped: 4, daysPostponed: 0 })
  })

  it('that a tenant came to need while a run was at work are kept', async () => {
    const tenant = await tenantOf(1)
    const series = await tenant.series('pump', 'temperature')
    await tenant.write(
      series,
      [
        [NOW - 5 * DAY_MS, 1],
        [NOW - DAY_MS / 4, 2],
      ],
      { datapoints: true },
    )
    await ensurePartitions(pool, TODAY - 2 * DAY_MS, TODAY) // the older one lies in the default partition
    await tenant.write(series, [[NOW - 2 * DAY_MS, 3]], { datapoints: true })
    const raise = async (event: string) => {
      if (event.includes('from tenants')) return
      await pool.query('update tenants set retention_days = 30')
    }
    const raising = new Proxy(pool, {
      get: (target, name) =>
        name === 'query'
          ? async (text: string, values: unknown[]) => {
              await raise(text)
              return target.query(text, values)
            }
          : Reflect.get(target, name),
    })
    const { deleted } = await applyRetention(raising, NOW)
    expect(deleted).toMatchObject({ datapoints: 0, window_aggregates: 0 })
    expect(await total('datapoints')).toBe(3)
  })
})

const pointAt = (...times: number[]) => ({
  metric: new Int32Array(times.length),
  ts: Float64Array.from(times),
  value: new Float64Array(times.length).fill(1),
  version: new Float64Array(times.length).fill(1),
})

describe('the default partition', () => {
  it('gives up what a tenant that is gone has left there', async () => {
    const tenant = await tenantOf(30)
    await applyRetention(pool, NOW)
    const gone = randomUUID()
    const times = pointAt(NOW, NOW - 90 * DAY_MS)
    await pool.query(insertDatapoints(gone, [gone], times))
    await pool.query(insertDatapoints(tenant.tenantId, [gone], pointAt(NOW)))
    expect((await applyRetention(pool, NOW)).deleted.datapoints).toBe(1)
    expect(await total('datapoints')).toBe(2) // the other goes with its day
  })

  it('keeps what is too much to move in one go when others want days, and loses it in short steps', async () => {
    const tenant = await tenantOf(30)
    const { metricId } = await tenant.series('pump', 'temperature')
    const many = (version: number) =>
      pool.query(
        `insert into datapoints select $1, $2, $3::timestamptz - n * interval '1 s', n, $4
         from generate_series(0, 59999) as n
         on conflict (tenant_id, metric_id, ts) do update set value = -excluded.value, version = excluded.version`,
        [tenant.tenantId, metricId, new Date(NOW), version],
      )
    await many(1)
    expect(await ensurePartitions(pool, TODAY - DAY_MS, TODAY)).toBe(0)
    const counts: number[] = []
    const writes: Promise<unknown>[] = []
    let seen = true
    // Between any two steps readers see all rows, and writers correct, add and delete some.
    const onChunk = async () => {}
    const busy = new Proxy(pool, {
      get: (target, name) =>
        name === 'query'
          ? async (text: string, values: unknown[]) => {
              if (seen && text.includes('_default_')) {
                counts.push(await total('datapoints'))
                const key = [tenant.tenantId, metricId, new Date(NOW - counts.length * 7_000)]
                writes.push(
                  pool.query(
                    `update datapoints set value = 7777, version = 9
                  where tenant_id = $1 and metric_id = $2 and ts = $3`,
                    key,
                  ),
                )
                await Promise.all(writes)
              }
              return target.query(text, values)
            }
          : Reflect.get(target, name),
    })
    const { daysMade } = await applyRetention(busy, NOW, { onChunk })
    seen = false
    expect(daysMade).toBe(45)
    expect(counts.length).toBeGreaterThan(4)
    expect(new Set(counts)).toEqual(new Set([60_000]))
    expect(await countDefault(pool, 9)).toBe(0)
    expect(await total(nameOf(TODAY))).toBe(12 * 3600 + 121)
    const { rows } = await pool.query('select count(*)::int as n from datapoints where value = 7777')
    expect(rows[0].n).toBe(counts.length)
    await many(10) // writes go on as before, and the days are whole again
    expect((await pool.query('select count(*)::int as n from datapoints where value <= 0')).rows[0].n).toBe(
      60_000,
    )
  })

  it('is moved to the end by the next run when one was killed in between', async () => {
    const tenant = await tenantOf(30)
    const { metricId } = await tenant.series('pump', 'temperature')
    await pool.query(
      `insert into datapoints select $1, $2, $3::timestamptz - n * interval '1 s', n, 1 from generate_series(0, 59999) as n`,
      [tenant.tenantId, metricId, new Date(NOW)],
    )
    const killed = {
      onChunk: () => {
        throw new Error('killed')
      },
    }
    await expect(applyRetention(pool, NOW, killed)).rejects.toThrow('killed')
    await pool.query(insertDatapoints(tenant.tenantId, [metricId], pointAt(NOW - 61_000_000, NOW + 1)))
    expect(await total('datapoints')).toBe(60_002)
    const both = await Promise.all([applyRetention(pool, NOW), applyRetention(pool, NOW)])
    expect(both.map(({ daysPostponed }) => daysPostponed)).toEqual([0, 0])
    expect([await total('datapoints'), await countDefault(pool, 9)]).toEqual([60_002, 0])
    expect((await pool.query(`select to_regclass('datapoints_moving') as table`)).rows).toEqual([
      { table: null },
    ])
  })
})

it('loses nothing of what is written meanwhile', async () => {
  const tenant = await tenantOf(7)
  const { metricId } = await tenant.series('pump', 'temperature')
  await seedFortyDays(90)
  await pool.query(
    `insert into datapoints select $1, $2, $3::timestamptz - n * interval '10 s', n, 1 from generate_series(1, 200000) as n`,
    [tenant.tenantId, metricId, new Date(NOW)],
  )
  let running = true
  const kept = dataKeptFrom(7, NOW)
  const writing = (async () => {
    const written: number[] = []
    for (let i = 0; running || i < 20; i += 1) {
      const fresh = NOW + i
      const old = kept + i // in the very day that rows are deleted of
      await pool.query(insertDatapoints(tenant.tenantId, [metricId], pointAt(old, fresh)))
      written.push(old, fresh)
    }
    return written
  })()
  await applyRetention(pool, NOW)
  running = false
  const written = await writing
  const times = new Set(await timesOf('datapoints', 'ts', tenant))
  expect(written.filter((ts) => !times.has(ts))).toEqual([])
  expect([...times].every((ts) => ts >= kept)).toBe(true)
  expect(times.has(NOW - 7 * DAY_MS + 10_000)).toBe(true)
})
