import type pg from 'pg'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { inTransaction, openPool, scopedDatabase } from '../database.ts'
import type { Series } from '../metric-lookup.ts'
import { scoreSeries } from '../score/score-series.ts'
import { addEndpoint, addRule } from '../testing/seed-alerting.ts'
import { type Point, type SeededTenant, seedTenant } from '../testing/seed-tenant.ts'
import { steadyPoints, WINDOW } from '../testing/synthetic.ts'
import { openArtefactStore } from '../train/artefact-store.ts'
import { updateDataMissing } from './alerts-sql.ts'
import { startEvaluation } from './evaluate-rules.ts'

const START = Date.UTC(2026, 0, 1)

let pool: pg.Pool
beforeAll(() => {
  pool = openPool(inject('databaseUrl'))
})
afterAll(() => pool.end())

async function score(tenant: SeededTenant, series: Series, now: number) {
  const store = openArtefactStore(tenant.modelDir)
  const { summary } = await inTransaction(pool, series, (db) => scoreSeries(db, { store, now }, series))
  return summary
}

async function eventsOf({ tenantId }: Series) {
  const { rows } = await pool.query(
    'select * from alert_events where tenant_id = $1 order by window_end, rule_id',
    [tenantId],
  )
  return rows
}

async function deliveriesOf({ tenantId }: Series) {
  const { rows } = await pool.query(
    'select * from webhook_deliveries where tenant_id = $1 order by type, webhook_id',
    [tenantId],
  )
  return rows
}

const lookForGap = (series: Series, now: number) =>
  updateDataMissing(scopedDatabase(pool, series), { ...series, metricIds: [series.metricId] }, now)

/** 200 windows, of which those from 180 to 182 stand out. */
const failure = (i: number, value: number) => (i >= 180 && i < 183 ? value + 40 : value)
const endOf = (i: number) => START + (i + 1) * WINDOW
const NOW = endOf(200)

async function seeded(points: Point[] = steadyPoints(START, 200, { change: failure })) {
  const tenant = await seedTenant(pool)
  const series = await tenant.series('plant/line-1', 'temperature')
  await tenant.write(series, points)
  return { tenant, series }
}

it('stores one event for an episode and hands one message per endpoint over when it opens and resolves', async () => {
  const { tenant, series } = await seeded()
  const ruleId = await addRule(pool, tenant.tenantId)
  const endpoints = [
    await addEndpoint(pool, tenant.tenantId, 'https://a.example/'),
    await addEndpoint(pool, tenant.tenantId, 'https://b.example/'),
  ]
  expect(await score(tenant, series, NOW)).toMatchObject({ opened: 1, resolved: 1 })
  const [event, ...others] = await eventsOf(series)
  expect(others).toEqual([])
  expect(event).toMatchObject({ rule_id: ruleId, state: 'resolved', threshold: 1, data_missing_since: null })
  expect(event.opened_at.getTime()).toBe(endOf(180))
  expect(event.resolved_at.getTime()).toBe(endOf(183))
  const deliveries = await deliveriesOf(series)
  expect(deliveries.map(({ type }) => type)).toEqual([
    'alert.opened',
    'alert.opened',
    'alert.resolved',
    'alert.resolved',
  ])
  expect(new Set(deliveries.map((row) => row.webhook_id))).toEqual(new Set(endpoints.map(({ id }) => id)))
  expect(JSON.parse(deliveries[0].body)).toEqual({
    type: 'alert.opened',
    timestamp: new Date(endOf(180)).toISOString(),
    data: {
      id: event.id,
      rule_id: ruleId,
      kind: 'anomaly',
      metric_id: series.metricId,
      window_end: new Date(endOf(180)).toISOString(),
      score: event.score,
      threshold: 1,
      state: 'open',
      opened_at: new Date(endOf(180)).toISOString(),
      resolved_at: null,
      resolved_reason: null,
      data_missing_since: null,
      acknowledged_at: null,
      acknowledgement_note: null,
      device_count: null,
      silent_count: null,
      devices: null,
      device: 'plant/line-1',
      metric: 'temperature',
      reasons: event.reasons,
      sequence: 1,
    },
  })
  expect(JSON.parse(deliveries[2].body).data).toMatchObject({
    state: 'resolved',
    resolved_at: new Date(endOf(183)).toISOString(),
    sequence: 2,
  })
})

it('neither repeats nor takes back an alert when its windows are scored again', async () => {
  const { tenant, series } = await seeded()
  await addRule(pool, tenant.tenantId)
  await addEndpoint(pool, tenant.tenantId, 'https://a.example/')
  await score(tenant, series, NOW)
  const events = await eventsOf(series)
  const deliveries = await deliveriesOf(series)
  await tenant.write(series, [[START + 181 * WINDOW + 5000, -500]], { shard: 1 })
  await score(tenant, series, NOW + 1)
  expect(await eventsOf(series)).toEqual(events)
  expect(await deliveriesOf(series)).toEqual(deliveries)
})

it('stores the event of a window older than a day, but tells nobody', async () => {
  const { tenant, series } = await seeded()
  await addRule(pool, tenant.tenantId)
  await addEndpoint(pool, tenant.tenantId, 'https://a.example/')
  await score(tenant, series, NOW + 86_400_000)
  expect(await eventsOf(series)).toHaveLength(1)
  expect(await deliveriesOf(series)).toEqual([])
})

it('lets a rule judge what is scored after it was made, however old, and nothing scored before', async () => {
  const points = steadyPoints(START, 400, { change: (i, value) => failure(i % 200, value) })
  const { tenant, series } = await seeded(points.slice(0, 200))
  await score(tenant, series, NOW)
  await addRule(pool, tenant.tenantId)
  await score(tenant, series, NOW)
  expect(await eventsOf(series)).toEqual([])
  await tenant.write(series, points.slice(200))
  await score(tenant, series, NOW + 7 * 86_400_000)
  expect((await eventsOf(series)).map((event) => event.opened_at.getTime())).toEqual([endOf(380)])
})

it('heeds only enabled rules for the metric or for all', async () => {
  const { tenant, series } = await seeded()
  const other = await tenant.series('pump', 'current')
  const mine = await addRule(pool, tenant.tenantId, { metricId: series.metricId })
  const all = await addRule(pool, tenant.tenantId)
  await addRule(pool, tenant.tenantId, { metricId: other.metricId })
  const disabled = await addRule(pool, tenant.tenantId)
  await pool.query('update alert_rules set enabled = false where tenant_id = $1 and id = $2', [
    tenant.tenantId,
    disabled,
  ])
  await score(tenant, series, NOW)
  const rules = (await eventsOf(series)).map((event) => event.rule_id)
  expect(new Set(rules)).toEqual(new Set([mine, all]))
  expect(rules).toHaveLength(2)
})

it('tells that an alert is over to who was told that it opened, however late, and to nobody else', async () => {
  const failing = (i: number, value: number) => (i >= 195 ? value + 40 : value)
  const { tenant, series } = await seeded(steadyPoints(START, 205, { change: failing }).slice(0, 200))
  await addRule(pool, tenant.tenantId)
  await addRule(pool, tenant.tenantId, { maxAgeSeconds: 0 })
  await addEndpoint(pool, tenant.tenantId, 'https://a.example/')
  await score(tenant, series, NOW)
  expect((await eventsOf(series)).map(({ announced }) => announced).sort()).toEqual([false, true])
  await tenant.write(series, steadyPoints(endOf(199), 5))
  await score(tenant, series, NOW + 3 * 86_400_000)
  expect((await eventsOf(series)).map(({ state }) => state)).toEqual(['resolved', 'resolved'])
  expect((await deliveriesOf(series)).map(({ type }) => type)).toEqual(['alert.opened', 'alert.resolved'])
})

it('keeps an alert open over a gap, tells since when data is missing, and neither once it is back', async () => {
  const failing = (i: number, value: number) => (i >= 195 ? value + 40 : value)
  const { tenant, series } = await seeded(steadyPoints(START, 200, { change: failing }))
  const ruleId = await addRule(pool, tenant.tenantId)
  await addEndpoint(pool, tenant.tenantId, 'https://a.example/')
  await score(tenant, series, NOW)
  const missingSince = async () => {
    const [event, ...others] = await eventsOf(series)
    expect([others, event.state, event.rule_id]).toEqual([[], 'open', ruleId])
    return event.data_missing_since?.getTime()
  }
  const quarter = 3 * WINDOW
  await lookForGap(series, endOf(199) + quarter)
  expect(await missingSince()).toBeUndefined()
  await lookForGap(series, endOf(199) + quarter + 1)
  expect(await missingSince()).toBe(endOf(199))
  await lookForGap(series, endOf(199) + 86_400_000)
  expect(await missingSince()).toBe(endOf(199))
  await tenant.write(series, [[endOf(299), 110]])
  await score(tenant, series, endOf(300))
  expect(await missingSince()).toBeUndefined()
  expect(await deliveriesOf(series)).toHaveLength(1)
})

it('waits for three times the pace of a slow metric, and for what has come but is not scored yet', async () => {
  const hourly = steadyPoints(START, 200, { change: (i, value) => (i >= 195 ? value + 40 : value) }).map(
    ([, value], i): Point => [START + i * 3600_000, value],
  )
  const { tenant, series } = await seeded(hourly)
  await addRule(pool, tenant.tenantId)
  const last = START + 199 * 3600_000 + WINDOW
  await score(tenant, series, last)
  const missing = async (now: number) => {
    await lookForGap(series, now)
    return (await eventsOf(series))[0].data_missing_since?.getTime()
  }
  expect(await missing(last + 3 * 3600_000)).toBeUndefined()
  expect(await missing(last + 3 * 3600_000 + 1)).toBe(last)
  await pool.query('update metrics set last_ts = $2 where tenant_id = $1', [
    tenant.tenantId,
    new Date(last + 2 * 3600_000),
  ])
  expect(await missing(last + 3 * 3600_000 + 1)).toBeUndefined()
})

it('heeds which way and how far a metric left what was expected', async () => {
  const points = steadyPoints(START, 220, {
    change: (i, value) => (i === 180 ? value + 40 : i === 200 ? value - 20 : value),
  })
  const { tenant, series } = await seeded(points)
  const named = {
    above: await addRule(pool, tenant.tenantId, { direction: 'above' }),
    below: await addRule(pool, tenant.tenantId, { direction: 'below' }),
    far: await addRule(pool, tenant.tenantId, { minDeviation: 30 }),
    tooFar: await addRule(pool, tenant.tenantId, { minDeviation: 50 }),
  }
  await score(tenant, series, endOf(220))
  const opened = (await eventsOf(series)).map((event) => [event.rule_id, event.opened_at.getTime()])
  expect(opened).toHaveLength(3)
  expect(Object.fromEntries(opened)).toEqual({
    [named.above]: endOf(180),
    [named.below]: endOf(200),
    [named.far]: endOf(180),
  })
})

it('opens and resolves once when scorers race, with windows being revised in between', async () => {
  const { tenant, series } = await seeded()
  await addRule(pool, tenant.tenantId)
  await addEndpoint(pool, tenant.tenantId, 'https://a.example/')
  const tally = { opened: 0, resolved: 0 }
  for (const round of [0, 1, 2]) {
    const scorers = await Promise.all([0, 1, 2].map((i) => score(tenant, series, NOW + i)))
    for (const { opened, resolved } of scorers) {
      tally.opened += opened
      tally.resolved += resolved
    }
    await tenant.write(series, [[START + (178 + 2 * round) * WINDOW + 9, 999]], { shard: 1 + round })
  }
  expect(tally).toEqual({ opened: 1, resolved: 1 })
  expect(await eventsOf(series)).toHaveLength(1)
  const told = (await deliveriesOf(series)).map(({ type, sequence }) => [type, sequence])
  expect(told).toEqual([
    ['alert.opened', 1],
    ['alert.resolved', 2],
  ])
})

it('holds the cursors of its rules, so that who evaluates beside it waits and finds the windows judged', async () => {
  const { tenant, series } = await seeded([])
  await addRule(pool, tenant.tenantId)
  const evaluate = (i: number, score: number) =>
    inTransaction(pool, series, async (db) => {
      const metrics = [{ series, scoredUntil: Number.NEGATIVE_INFINITY }]
      const rules = await startEvaluation(db, series.tenantId, metrics, NOW)
      const tally = await rules.judge(series, [
        {
          ...{ windowStart: endOf(i - 1), windowEnd: endOf(i), state: 'ready', score, onsetScore: 0 },
          ...{
            reasons: [],
            expected: undefined,
            lessons: [],
            novelty: 0,
            direction: undefined,
            deviation: undefined,
          },
        },
      ])
      await rules.finish()
      return tally
    })
  await evaluate(0, 0) // the cursor exists: no insert makes the others wait
  const opened = await Promise.all([evaluate(1, 2), evaluate(1, 2), evaluate(1, 2)])
  expect(opened.map((tally) => tally.opened).sort()).toEqual([0, 0, 1])
  const resolved = await Promise.all([evaluate(2, 0), evaluate(2, 0)])
  expect(resolved.map((tally) => tally.resolved).sort()).toEqual([0, 1])
  expect(await eventsOf(series)).toHaveLength(1)
})

it('loses nothing and repeats nothing when a scorer dies after it has judged', async () => {
  const { tenant, series } = await seeded()
  await addRule(pool, tenant.tenantId)
  await addEndpoint(pool, tenant.tenantId, 'https://a.example/')
  const store = openArtefactStore(tenant.modelDir)
  const dying = inTransaction(pool, series, async (db) => {
    const { summary } = await scoreSeries(db, { store, now: NOW }, series)
    expect(summary).toMatchObject({ opened: 1, resolved: 1 })
    await db.query('select pg_terminate_backend(pg_backend_pid())')
  })
  await expect(dying).rejects.toThrow()
  expect([await eventsOf(series), await deliveriesOf(series)]).toEqual([[], []])
  expect(await score(tenant, series, NOW)).toMatchObject({ opened: 1, resolved: 1 })
  expect([(await eventsOf(series)).length, (await deliveriesOf(series)).length]).toEqual([1, 2])
})
