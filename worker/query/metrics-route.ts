import { and, asc, eq, gte, inArray, sql } from 'drizzle-orm'
import { Hono } from 'hono'
import * as v from 'valibot'
import { anomalyScores, devices, metrics } from '../../migrations/schema.ts'
import type { AppEnv } from '../app-env.ts'
import { db, query } from '../database.ts'
import { component, Id, Instant, pageOf, told } from '../openapi/fields.ts'
import { operation } from '../openapi/operation.ts'
import { requireScope } from '../tenant-auth.ts'
import { listDatapoints } from './list-datapoints.ts'
import { listWindows } from './list-windows.ts'
import {
  contains,
  cursorOf,
  emptyPage,
  idFilter,
  idsFilter,
  Limit,
  page,
  search,
  TextCursor,
} from './parameters.ts'
import { ReadyAt, readyAtView } from './ready-at.ts'

const Metric = component(
  'Metric',
  v.object({
    id: Id,
    device_id: Id,
    device: told(v.string(), 'The name of its device, as gateways send it.'),
    name: told(v.string(), 'As gateways send it in `metric`.'),
    unit: told(v.nullable(v.string()), 'The latest unit sent; null: none was.'),
    unit_changed_at: told(
      v.nullable(Instant),
      'When a batch first came with this unit instead of another; null: there was no other.',
    ),
    last_ts: told(v.nullable(Instant), 'The timestamp of its newest datapoint.'),
    last_score: told(
      v.nullable(v.number()),
      'The `score` of its newest scored window; 1.0 or more is anomalous.',
    ),
    state: told(
      v.nullable(v.picklist(['learning', 'ready'])),
      'The `state` of that window. Null: none has been scored.',
    ),
    ready_at: ReadyAt,
  }),
  'One series of a device: what it measures.',
  {
    id: '7b0f9c52-93d1-5a60-9d0e-2f4c7a1b3e58',
    device_id: '0f3c1f5e-5d0c-5c1a-9c55-6c3b8a2f9d10',
    device: 'pump-7',
    name: 'temperature',
    unit: 'C',
    unit_changed_at: null,
    last_ts: '2026-01-08T12:30:00.000Z',
    last_score: 0.21,
    state: 'ready',
    ready_at: null,
  },
)

const listMetrics = operation(
  {
    operationId: 'listMetrics',
    tag: 'Telemetry',
    summary: 'List metrics',
    description: 'Every series, by the names of device and metric.',
    query: v.object({
      device_id: idFilter('Only metrics of this device.'),
      id: idsFilter('Only the metrics with these ids.'),
      search: search('Only metrics with this in `device/metric`.'),
      limit: Limit,
      cursor: cursorOf(v.tuple([TextCursor, TextCursor])),
    }),
    answer: pageOf('MetricPage', Metric),
    returns: 'A page of metrics.',
  },
  async (c, { query: { device_id: deviceId, id: ids, search, limit, cursor: after } }) => {
    if (deviceId === null) return emptyPage()
    const tenantId = c.get('tenantId')
    const now = Date.now()
    const last = db
      .select({ score: anomalyScores.score, state: anomalyScores.state, readyAt: anomalyScores.readyAt })
      .from(anomalyScores)
      .where(and(eq(anomalyScores.tenantId, tenantId), eq(anomalyScores.metricId, metrics.id)))
      .orderBy(sql`${anomalyScores.windowEnd} desc`)
      .limit(1)
      .as('last')
    const rows = await query(
      c,
      db
        .select({
          id: metrics.id,
          device_id: metrics.deviceId,
          device: devices.externalId,
          name: metrics.name,
          unit: metrics.unit,
          unit_changed_at: metrics.unitChangedAt,
          last_ts: metrics.lastTs,
          last_score: last.score,
          state: last.state,
          ready_at: last.readyAt,
        })
        .from(devices)
        .innerJoin(metrics, and(eq(metrics.tenantId, devices.tenantId), eq(metrics.deviceId, devices.id)))
        .leftJoinLateral(last, sql`true`)
        .where(
          and(
            eq(devices.tenantId, tenantId),
            deviceId === undefined ? undefined : eq(devices.id, deviceId),
            ids === undefined ? undefined : inArray(metrics.id, ids),
            search === undefined
              ? undefined
              : contains(sql`${devices.externalId} || '/' || ${metrics.name}`, search),
            // Said of the devices alone as well: no index knows the pair, which is of two tables.
            after && gte(devices.externalId, after[0]),
            after && sql`(${devices.externalId}, ${metrics.name}) > (${after[0]}, ${after[1]})`,
          ),
        )
        .orderBy(asc(devices.externalId), asc(metrics.name))
        .limit(limit + 1),
    )
    return page(
      rows,
      limit,
      (row) => ({ ...row, ready_at: readyAtView(row.ready_at, now) }),
      (row) => [row.device, row.name],
    )
  },
)

/** `GET /v1/metrics` and what lies below one metric. */
export const metricsRoute = new Hono<AppEnv>()
  .get('/', requireScope('read'), listMetrics)
  .get('/:id/datapoints', requireScope('read'), listDatapoints)
  .get('/:id/windows', requireScope('read'), listWindows)
