import pg from 'pg'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { inTransaction } from '../database.ts'
import type { Series } from '../metric-lookup.ts'
import { scoreSeries } from '../score/score-series.ts'
import { addEndpoint, addRule } from '../test/seed-alerting.ts'
import { type Point, type SeededTenant, seedTenant } from '../test/seed-tenant.ts'
import { steadyPoints, WINDOW } from '../test/synthetic.ts'
import { openArtefactStore } from '../train/artefact-store.ts'

const START = Date.UTC(2026, 0, 1)

let pool: pg.Pool
beforeAll(() => {
  pool = new pg.Pool({ connectionString: inject('databaseUrl'), max: 4 })
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
    timestamp: new Date(NOW).toISOString(),
    data: {
      id: event.id,
      rule_id: ruleId,
      metric_id: series.metricId,
      window_end: new Date(endOf(180)).toISOString(),
      score: event.score,
      threshold: 1,
      state: 'open',
      opened_at: new Date(endOf(180)).toISOString(),
      resolved_at: null,
      data_missing_since: null,
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
