import { and, asc, count, eq, gt, lt, sql } from 'drizzle-orm'
import { Hono } from 'hono'
import * as v from 'valibot'
import { devices, metrics } from '../../migrations/schema.ts'
import type { AppEnv } from '../app-env.ts'
import { db, query } from '../database.ts'
import { component, Id, Instant, pageOf, told } from '../openapi/fields.ts'
import { operation } from '../openapi/operation.ts'
import { requireScope } from '../tenant-auth.ts'
import { contains, cursorOf, instant, Limit, page, search, TextCursor } from './parameters.ts'

const Device = component(
  'Device',
  v.object({
    id: Id,
    external_id: told(v.string(), 'The name that gateways send as `device`.'),
    created_at: told(Instant, 'When its first datapoint was stored.'),
    last_seen_at: told(Instant, 'When its newest data arrived.'),
    metric_count: v.pipe(v.number(), v.integer()),
  }),
  'A device that has sent data.',
  {
    id: '0f3c1f5e-5d0c-5c1a-9c55-6c3b8a2f9d10',
    external_id: 'pump-7',
    created_at: '2026-01-01T00:00:04.512Z',
    last_seen_at: '2026-01-08T12:30:00.000Z',
    metric_count: 2,
  },
)

const listDevices = operation(
  {
    operationId: 'listDevices',
    tag: 'Telemetry',
    summary: 'List devices',
    description: 'Every device that has sent data, by name.',
    query: v.object({
      search: search('Only devices with this in their name.'),
      last_seen_before: instant('Only devices that have been silent since then.'),
      limit: Limit,
      cursor: cursorOf(TextCursor),
    }),
    answer: pageOf('DevicePage', Device),
    returns: 'A page of devices.',
  },
  async (c, { query: { search, last_seen_before: silentSince, limit, cursor: after } }) => {
    const tenantId = c.get('tenantId')
    const metricCount = db
      .select({ n: count() })
      .from(metrics)
      .where(and(eq(metrics.tenantId, tenantId), eq(metrics.deviceId, devices.id)))
    const rows = await query(
      c,
      db
        .select({
          id: devices.id,
          external_id: devices.externalId,
          created_at: devices.createdAt,
          last_seen_at: devices.lastSeenAt,
          metric_count: sql<number>`(${metricCount})`.mapWith(Number),
        })
        .from(devices)
        .where(
          and(
            eq(devices.tenantId, tenantId),
            search === undefined ? undefined : contains(devices.externalId, search),
            silentSince === undefined ? undefined : lt(devices.lastSeenAt, new Date(silentSince)),
            after === undefined ? undefined : gt(devices.externalId, after),
          ),
        )
        .orderBy(asc(devices.externalId))
        .limit(limit + 1),
    )
    return page(
      rows,
      limit,
      (row) => row,
      (row) => row.external_id,
    )
  },
)

/** `GET /v1/devices`. */
export const devicesRoute = new Hono<AppEnv>().get('/', requireScope('read'), listDevices)
