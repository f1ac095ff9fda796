import { randomUUID } from 'node:crypto'
import { globSync } from 'node:fs'
import path from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { contentsOf, insertTenantRows, type TenantRows } from '../migrations/testing/tenant-rows.ts'
import { markDue } from '../telemetry/batch-statements.ts'
import { batchTransactions } from '../telemetry/batch-transactions.ts'
import { groupBySeries } from '../telemetry/columns.ts'
import * as alerts from './alerts/alerts-sql.ts'
import * as disabled from './alerts/disabled-rules-sql.ts'
import { NEW_CURSOR } from './alerts/judge-alert.ts'
import * as traces from './alerts/trace-sql.ts'
import { type Database, inTransaction, type Scope } from './database.ts'
import * as windows from './features/windows-sql.ts'
import { findSeries, listSeries } from './metric-lookup.ts'
import * as replay from './replay/replay-sql.ts'
import * as retention from './retention/retention-sql.ts'
import * as corrections from './score/corrections-sql.ts'
import * as due from './score/due-sql.ts'
import * as scores from './score/scores-sql.ts'
import * as silence from './silence/silence-sql.ts'
import * as models from './train/models-sql.ts'
import { UsageError } from './usage-error.ts'
import * as deliveries from './webhooks/deliveries-sql.ts'
import * as health from './webhooks/endpoint-health-sql.ts'
import * as sealed from './webhooks/sealed-secrets-sql.ts'

/*
 * Every query of the service as it would be had it forgotten whose rows it wants: it binds one tenant, as ever, while
 * its transaction is another's. What comes of it must be nothing.
 */

const pool = new pg.Pool({ connectionString: inject('databaseUrl'), max: 2 })
let rows: TenantRows
let stranger: TenantRows
beforeAll(async () => {
  const query = (text: string) => pool.query(text)
  rows = await insertTenantRows(query)
  stranger = await insertTenantRows(query)
})
afterAll(() => pool.end())

const NOW = Date.now()
/** Nothing of the tenant need be kept any more. */
const LATER = NOW + 90 * 86_400_000
const DAY_MS = 86_400_000
const ALL = { from: NOW - DAY_MS, to: NOW + DAY_MS }
const window = { windowStart: NOW, count: 1, mean: 1, m2: 0, min: 1, max: 1, firstTs: NOW, lastTs: NOW }
const superseding = { ...window, median: 1, mad: 0, sketch: new Uint8Array(), superseded: 1 }
const event = {
  ...{ state: 'open' as const, openedAt: NOW, resolvedAt: null, dataMissingSince: null, reasons: [] },
  ...{
    resolvedReason: null,
    acknowledgedAt: null,
    acknowledgementNote: null,
    announced: true,
    traceId: null,
  },
}
const cursor = { ...NEW_CURSOR, lastWindowEnd: NOW, sequence: 1 }
const verdict = {
  ...{ windowStart: NOW, windowEnd: NOW + 300_000, score: 1, onsetScore: 0, state: 'ready' as const },
  ...{ reasons: [], expected: undefined, lessons: [], novelty: 1.5, direction: undefined },
}
const scoreRow = () => ({
  metricId: rows.metricId,
  verdict: { ...verdict, deviation: undefined },
  modelId: null,
  readyAt: undefined,
})
const attempt = { at: new Date(NOW).toISOString(), status: 200, duration_ms: 1, error: null, response: null }
const delivered = { state: 'delivered' as const, nextAttemptAt: undefined }
const body = {
  names: [{ device: 'boiler', metric: 'pressure', unit: null }],
  ...{ seriesOf: new Uint32Array(1), ts: new Float64Array([NOW]), values: new Float64Array([1]) },
}
const batch = () => {
  const { columns } = groupBySeries(body)
  return { batchId: 'new', r2Key: 'k', shard: 0, receivedAt: NOW, rejected: 0, columns }
}
const scope = () => ({ tenantId: rows.tenantId, scope: 's' })
const plan = () => ({ tenantId: rows.tenantId, retentionDays: 30 })
const metric = () => ({ tenantId: rows.tenantId, metricId: rows.metricId })
const silentDevice = () => ({
  ...{ deviceId: rows.deviceId, device: 'pump', lastSeenAt: NOW, silentAt: NOW, cadenceMs: 1000 },
  recoveredAt: null,
})
const cursorKey = () => ({ ruleId: rows.ruleId, metricId: rows.metricId })

/** Each query of a tenant, with arguments under which it finds or changes something. */
const CALLS: Record<string, (db: Database) => Promise<unknown>> = {
  selectRules: (db) => alerts.selectRules(db, rows.tenantId),
  lockCursors: (db) => alerts.lockCursors(db, rows.tenantId, [{ ...cursorKey(), start: NOW }]),
  updateCursors: (db) => alerts.updateCursors(db, rows.tenantId, [{ ...cursorKey(), ...cursor }]),
  insertEvent: (db) =>
    alerts.insertEvent(db, rows.tenantId, {
      ...{
        ...metric(),
        ...event,
        id: randomUUID(),
        ruleId: rows.ruleId,
        windowEnd: NOW,
        score: 1,
        threshold: 1,
      },
    }),
  selectTraceId: (db) => traces.selectTraceId(db, metric(), ALL),
  updateDataMissing: (db) => alerts.updateDataMissing(db, metric(), NOW + 99 * DAY_MS),
  resolveEvent: (db) => alerts.resolveEvent(db, rows.tenantId, rows.eventId, NOW),
  lockDisabledRules: (db) => disabled.lockDisabledRules(db, rows.tenantId),
  resolveDisabled: (db) => disabled.resolveDisabled(db, rows.tenantId, [rows.disabledRuleId], NOW),
  resolveDisabledSilences: (db) =>
    disabled.resolveDisabledSilences(db, rows.tenantId, [rows.silenceRuleId], NOW),
  lockSilenceRules: (db) => silence.lockSilenceRules(db, rows.tenantId),
  selectWatched: (db) => silence.selectWatched(db, rows.tenantId),
  selectSaid: (db) => silence.selectSaid(db, rows.tenantId),
  markJudged: (db) => silence.markJudged(db, rows.tenantId, [{ shard: 0, change: 1 }]),
  countOpen: (db) => silence.countOpen(db, rows.tenantId, rows.silenceRuleId),
  insertSilence: (db) =>
    silence.insertSilence(
      db,
      rows.tenantId,
      { id: randomUUID(), ruleId: rows.silenceRuleId, openedAt: NOW, announced: true },
      [silentDevice()],
      [],
    ),
  moveCursors: (db) => silence.moveCursors(db, rows.tenantId, rows.silenceRuleId, [silentDevice()], null),
  recoverDevices: (db) =>
    silence.recoverDevices(db, rows.tenantId, { ruleId: rows.silenceRuleId, eventId: rows.silenceEventId }, [
      { deviceId: rows.deviceId, recoveredAt: NOW },
    ]),
  selectParts: (db) => windows.selectParts(db, { ...metric(), ...ALL }, 9),
  selectDatapoints: (db) => windows.selectDatapoints(db, { ...metric(), ...ALL }, 9),
  countParts: (db) =>
    windows.countParts(db, rows.tenantId, [{ ...metric(), since: undefined, until: ALL.to }]),
  selectPartColumns: (db) => windows.selectPartColumns(db, rows.tenantId, [{ ...metric(), ...ALL }], 9),
  isReplayed: (db) => replay.isReplayed(db, scope(), 'm'),
  markReplayed: (db) => replay.markReplayed(db, scope(), 'another'),
  forgetReplayed: (db) => replay.forgetReplayed(db, scope()),
  insertLostTenant: (db) => replay.insertLostTenant(db, rows.tenantId),
  retentionDays: (db) => replay.retentionDays(db, rows.tenantId),
  selectFrontiers: (db) =>
    replay.selectFrontiers(db, {
      ...{ tenantId: rows.tenantId, from: ALL.from, limit: 9, after: '00000000-0000-0000-0000-000000000000' },
    }),
  selectWindowRows: (db) => replay.selectWindowRows(db, { ...metric(), ...ALL }),
  upsertSuperseding: (db) => replay.upsertSuperseding(db, metric(), [superseding]),
  deleteExpired: (db) =>
    retention.deleteExpired(db, 'window_aggregates', plan(), { now: LATER, from: '-infinity', limit: 9 }),
  deleteOldLetters: (db) => retention.deleteOldLetters(db, plan(), { now: LATER, limit: 9 }),
  selectMarkedMetrics: (db) => corrections.selectMarkedMetrics(db, rows.tenantId, [rows.metricId]),
  selectMarks: (db) => corrections.selectMarks(db, metric(), { after: ALL.from, limit: 9 }),
  deleteMarks: async (db) => {
    const marks = await corrections.selectMarks(pool, metric(), { after: ALL.from, limit: 9 })
    await corrections.deleteMarks(db, metric(), marks)
  },
  nameMetrics: (db) => due.nameMetrics(db, rows.tenantId, [rows.metricId]),
  deleteDue: (db) => due.deleteDue(db, rows.tenantId, [rows.metricId]),
  lastScored: (db) => scores.lastScored(db, rows.tenantId, [rows.metricId]),
  insertScores: (db) => scores.insertScores(db, rows.tenantId, [scoreRow()], NOW),
  upsertScores: (db) => scores.upsertScores(db, rows.tenantId, [scoreRow()], NOW),
  countWindowsScored: (db) => scores.countWindowsScored(db, rows.tenantId, 1, NOW),
  selectModels: (db) => models.selectModels(db, rows.tenantId, [rows.metricId]),
  upsertModels: (db) =>
    models.upsertModels(db, rows.tenantId, [
      { ...metric(), id: randomUUID(), path: 'p', sha256: 's', trainedUntil: NOW },
    ]),
  deleteModels: (db) => models.deleteModels(db, rows.tenantId, [rows.modelId]),
  selectEnabledEndpoints: (db) => deliveries.selectEnabledEndpoints(db, rows.tenantId),
  insertDeliveries: (db) =>
    deliveries.insertDeliveries(
      db,
      rows.tenantId,
      [{ id: randomUUID(), webhookId: rows.webhookId }],
      { eventKey: 'another', type: 'alert.opened', body: '{}' },
      NOW,
    ),
  selectDelivery: (db) => deliveries.selectDelivery(db, { tenantId: rows.tenantId, id: rows.deliveryId }),
  recordAttempt: (db) =>
    deliveries.recordAttempt(db, { tenantId: rows.tenantId, id: rows.deliveryId }, attempt, delivered),
  clearFailing: (db) => health.clearFailing(db, rows),
  markFailing: (db) => health.markFailing(db, rows, NOW),
  disableEndpoint: (db) => health.disableEndpoint(db, rows, 'gone', NOW),
  lockSealed: (db) => sealed.lockSealed(db, rows),
  updateSealed: (db) => sealed.updateSealed(db, rows, { secret: 'sealed again', previousSecrets: [] }),
  batchTransactions: async (db) => {
    for (const statements of batchTransactions(rows.tenantId, [batch()], NOW)) {
      for (const statement of statements) await db.query(statement)
    }
  },
  markDue: (db) => db.query(markDue(rows.tenantId, [rows.metricId], [NOW])),
  lockMetric: (db) => due.lockMetric(db, metric()),
}

/** These find nothing of what a test could write before. */
const SILENT = ['insertLostTenant']
/** These ask across tenants, of what docs/isolation.md lists. */
const OF_OPERATOR = [
  ...['claimDue', 'countDue', 'claimDeliveries', 'oldestDueDeliverySeconds', 'selectEndpointKeys'],
  'selectWatchedTenants',
  ...['selectRetention', 'selectDays', 'selectTenantsOf', 'deleteDatapoints', 'deleteForeignLetters'],
  ...['emptyDay', 'dropDay', 'ensurePartitions', 'countDefault'],
  ...['isDefaultMoving', 'beginDefaultMove', 'copyDefault', 'finishDefaultMove'],
]

const isNothing = (value: unknown): boolean =>
  !value ||
  (value instanceof Map && value.size === 0) ||
  (typeof value === 'object' && !(value instanceof Map) && Object.values(value).every(isNothing))

const contents = (db: Pick<Database, 'query'>) =>
  contentsOf(rows.tenantId, async (text, values) => (await db.query(text, values)).rows)

/** What a query gives and what the tenant has after it, all of which is taken back. */
async function outcomeOf(scope: Scope, call: (db: Database) => Promise<unknown>) {
  const done = new Error('taken back')
  let result: unknown
  let after: unknown
  await inTransaction(pool, scope, async (db) => {
    result = await call(db)
    await db.query('reset role')
    after = await contents(db)
    throw done
  }).catch((error: unknown) => {
    if (error !== done) result = error
  })
  return { result, after }
}

test('no query of the service is forgotten here', async () => {
  const files = globSync('**/*-sql.ts', { cwd: import.meta.dirname })
  const modules: object[] = await Promise.all(
    files.map((file) => import(path.join(import.meta.dirname, file))),
  )
  const exported = modules.flatMap((module) =>
    Object.entries(module).flatMap(([name, value]) => (typeof value === 'function' ? [name] : [])),
  )
  const elsewhere = ['batchTransactions', 'markDue'] // in telemetry
  expect([...Object.keys(CALLS), ...OF_OPERATOR].sort()).toEqual([...exported, ...elsewhere].sort())
})

describe('in a transaction of another tenant', () => {
  test.each(Object.keys(CALLS))('%s finds nothing and changes nothing', async (name) => {
    const before = await contents(pool)
    const own = await outcomeOf(rows, CALLS[name]!)
    expect(own.result).not.toBeInstanceOf(Error)
    if (!SILENT.includes(name)) {
      const tells = !isNothing(own.result) || !isDeepStrictEqual(own.after, before)
      expect(tells, 'there is nothing here that it could find or change').toBe(true)
    }
    for (const scope of [stranger, { tenantId: '' }]) {
      const { result, after = before } = await outcomeOf(scope, CALLS[name]!)
      if (result instanceof Error)
        expect(String(result)).toMatch(/row-level security policy|is being deleted/)
      else expect(isNothing(result), JSON.stringify(result)).toBe(true)
      expect(after).toEqual(before)
    }
  })
})

test('a metric is found by its id for its own tenant only', async () => {
  expect(await findSeries(pool, rows.tenantId, rows.metricId)).toMatchObject(metric())
  await expect(findSeries(pool, stranger.tenantId, rows.metricId)).rejects.toThrow(UsageError)
  expect(await listSeries(pool, stranger.tenantId)).toMatchObject([{ metricId: stranger.metricId }])
})

test('a connection that goes back to the pool belongs to nobody', async () => {
  const one = new pg.Pool({ connectionString: inject('databaseUrl'), max: 1 })
  try {
    await inTransaction(one, rows, (db) => db.query('select 1'))
    await inTransaction(one, rows, (db) => db.query('select 1 / 0')).catch(() => {})
    const { rows: settings } = await one.query(
      `select current_user = session_user as itself, current_setting('edgepulse.tenant_id', true) as tenant`,
    )
    expect(settings).toEqual([{ itself: true, tenant: '' }])
  } finally {
    await one.end()
  }
})
