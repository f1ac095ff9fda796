import { and, asc, eq, gte, lt, sql } from 'drizzle-orm'
import { type Context, Hono } from 'hono'
import * as v from 'valibot'
import { anomalyScores, datapoints, devices, metrics } from '../../migrations/schema.ts'
import { nearestInstant } from '../../telemetry/timestamp.ts'
import type { AppEnv } from '../app-env.ts'
import { type Database, database, query } from '../database.ts'
import { requireScope } from '../tenant-auth.ts'
import {
  cursorOf,
  InstantCursor,
  limitOf,
  notFound,
  page,
  pathId,
  rangeOf,
  TextCursor,
  uuidOf,
} from './parameters.ts'
import { type MetricRequest, windowPage } from './window-page.ts'

/** `GET /v1/metrics` and what lies below one metric. */
export const metricsRoute = new Hono<AppEnv>()
  .get('/', requireScope('read'), listMetrics)
  .get('/:id/datapoints', requireScope('read'), listDatapoints)
  .get('/:id/windows', requireScope('read'), async (c) => c.json(await windowPage(await metricRequest(c))))

async function listMetrics(c: Context<AppEnv>) {
  const limit = limitOf(c)
  const after = cursorOf(c, v.tuple([TextCursor, TextCursor]))
  const tenantId = c.get('tenantId')
  const wanted = c.req.query('device_id')
  const deviceId = uuidOf(wanted)
  if (wanted !== undefined && deviceId === undefined) return c.json({ data: [], next_cursor: null })
  const db = database(c.env)
  const lastScore = db
    .select({ score: anomalyScores.score })
    .from(anomalyScores)
    .where(and(eq(anomalyScores.tenantId, tenantId), eq(anomalyScores.metricId, metrics.id)))
    .orderBy(sql`${anomalyScores.windowEnd} desc`)
    .limit(1)
  const rows = await query(
    db
      .select({
        id: metrics.id,
        deviceId: metrics.deviceId,
        device: devices.externalId,
        name: metrics.name,
        unit: metrics.unit,
        unitChangedAt: metrics.unitChangedAt,
        lastTs: metrics.lastTs,
        lastScore: sql<number | null>`(${lastScore})`,
      })
      .from(devices)
      .innerJoin(metrics, and(eq(metrics.tenantId, devices.tenantId), eq(metrics.deviceId, devices.id)))
      .where(
        and(
          eq(devices.tenantId, tenantId),
          deviceId === undefined ? undefined : eq(devices.id, deviceId),
          after && sql`(${devices.externalId}, ${metrics.name}) > (${after[0]}, ${after[1]})`,
        ),
      )
      .orderBy(asc(devices.externalId), asc(metrics.name))
      .limit(limit + 1),
  )
  return c.json(
    page(
      rows,
      limit,
      (row) => ({
        id: row.id,
        device_id: row.deviceId,
        device: row.device,
        name: row.name,
        unit: row.unit,
        unit_changed_at: row.unitChangedAt,
        last_ts: row.lastTs,
        last_score: row.lastScore,
      }),
      (row) => [row.device, row.name],
    ),
  )
}

async function listDatapoints(c: Context<AppEnv>) {
  const { db, tenantId, metricId, limit, from, to } = await metricRequest(c)
  const rows = await query(
    db
      .select({ ts: datapoints.ts, value: datapoints.value })
      .from(datapoints)
      .where(
        and(
          eq(datapoints.tenantId, tenantId),
          eq(datapoints.metricId, metricId),
          gte(datapoints.ts, from),
          lt(datapoints.ts, to),
        ),
      )
      .orderBy(asc(datapoints.ts))
      .limit(limit + 1),
  )
  return c.json(
    page(
      rows,
      limit,
      (row) => [row.ts, row.value],
      (row) => row.ts.getTime(),
    ),
  )
}

/** What the lists below a metric have in common; a cursor moves `from` behind the last instant shown. */
async function metricRequest(c: Context<AppEnv>): Promise<MetricRequest> {
  const limit = limitOf(c)
  const range = rangeOf(c, Date.now())
  const after = cursorOf(c, InstantCursor)
  const metricId = pathId(c)
  const tenantId = c.get('tenantId')
  const db = database(c.env)
  await requireMetric(db, tenantId, metricId)
  const from =
    after === undefined
      ? range.from
      : new Date(nearestInstant(Math.max(after.getTime() + 1, range.from.getTime())))
  return { db, tenantId, metricId, limit, from, to: range.to }
}

async function requireMetric(db: Database, tenantId: string, metricId: string): Promise<void> {
  const rows = await query(
    db
      .select({ id: metrics.id })
      .from(metrics)
      .where(and(eq(metrics.tenantId, tenantId), eq(metrics.id, metricId))),
  )
  if (rows.length === 0) throw notFound()
}
