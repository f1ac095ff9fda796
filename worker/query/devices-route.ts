import { and, asc, count, eq, gt, sql } from 'drizzle-orm'
import { Hono } from 'hono'
import { devices, metrics } from '../../migrations/schema.ts'
import type { AppEnv } from '../app-env.ts'
import { database, query } from '../database.ts'
import { requireScope } from '../tenant-auth.ts'
import { cursorOf, limitOf, page, TextCursor } from './parameters.ts'

/** `GET /v1/devices`, by name. */
export const devicesRoute = new Hono<AppEnv>().get('/', requireScope('read'), async (c) => {
  const limit = limitOf(c)
  const after = cursorOf(c, TextCursor)
  const tenantId = c.get('tenantId')
  const db = database(c.env)
  const metricCount = db
    .select({ n: count() })
    .from(metrics)
    .where(and(eq(metrics.tenantId, tenantId), eq(metrics.deviceId, devices.id)))
  const rows = await query(
    db
      .select({
        id: devices.id,
        externalId: devices.externalId,
        createdAt: devices.createdAt,
        lastSeenAt: devices.lastSeenAt,
        metricCount: sql<number>`(${metricCount})`.mapWith(Number),
      })
      .from(devices)
      .where(
        and(eq(devices.tenantId, tenantId), after === undefined ? undefined : gt(devices.externalId, after)),
      )
      .orderBy(asc(devices.externalId))
      .limit(limit + 1),
  )
  return c.json(
    page(
      rows,
      limit,
      (row) => ({
        id: row.id,
        external_id: row.externalId,
        created_at: row.createdAt,
        last_seen_at: row.lastSeenAt,
        metric_count: row.metricCount,
      }),
      (row) => row.externalId,
    ),
  )
})
