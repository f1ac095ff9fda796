import { and, eq } from 'drizzle-orm'
import type { Context } from 'hono'
import * as v from 'valibot'
import { metrics } from '../../migrations/schema.ts'
import { nearestInstant } from '../../telemetry/timestamp.ts'
import type { AppEnv } from '../app-env.ts'
import { db, query } from '../database.ts'
import { cursorOf, InstantCursor, idOf, Limit, notFound, Range, rangeOf } from './parameters.ts'

/** What the lists below one metric take. */
export const METRIC_LIST = {
  params: idOf('metric'),
  query: v.object({ ...Range.entries, limit: Limit, cursor: cursorOf(InstantCursor) }),
}

/** A request for a list of one metric, `from ≤ t < to`. */
export interface MetricRequest {
  c: Context<AppEnv>
  tenantId: string
  metricId: string
  limit: number
  from: Date
  to: Date
}

/** 404 where the tenant has no such metric. A cursor moves `from` behind the last instant shown. */
export async function metricRequest(
  c: Context<AppEnv>,
  { id: metricId }: v.InferOutput<typeof METRIC_LIST.params>,
  { limit, cursor: after, ...wanted }: v.InferOutput<typeof METRIC_LIST.query>,
): Promise<MetricRequest> {
  const range = rangeOf(wanted, Date.now())
  const tenantId = c.get('tenantId')
  await requireMetric(c, tenantId, metricId)
  const from =
    after === undefined
      ? range.from
      : new Date(nearestInstant(Math.max(after.getTime() + 1, range.from.getTime())))
  return { c, tenantId, metricId, limit, from, to: range.to }
}

async function requireMetric(c: Context<AppEnv>, tenantId: string, metricId: string): Promise<void> {
  const rows = await query(
    c,
    db
      .select({ id: metrics.id })
      .from(metrics)
      .where(and(eq(metrics.tenantId, tenantId), eq(metrics.id, metricId))),
  )
  if (rows.length === 0) throw notFound()
}
