import { and, count, eq, max } from 'drizzle-orm'
import { Hono } from 'hono'
import { anomalyScores, batches, windowAggregates } from '../../migrations/schema.ts'
import { WINDOW_MS } from '../../telemetry/window.ts'
import type { AppEnv } from '../app-env.ts'
import { type Database, database, query } from '../database.ts'
import { requireScope } from '../tenant-auth.ts'
import { withinDeadline } from '../within-deadline.ts'
import { recentUnitChanges, warningsOf } from './status-warnings.ts'

/** `GET /v1/status`: how a tenant's data flows right now, at a glance. */
export const statusRoute = new Hono<AppEnv>().get('/', requireScope('read'), async (c) => {
  const tenantId = c.get('tenantId')
  const [flow, stored] = await Promise.all([
    withinDeadline(c.env.TENANT_CONTROL.getByName(tenantId).status()),
    query(storedStatus(database(c.env), tenantId)),
  ])
  const now = Date.now()
  return c.json({
    last_batch_at: isoOf(flow.lastBatchAt),
    batches_pending: flow.batchesPending,
    oldest_pending_seconds:
      flow.oldestPendingAt === null ? null : Math.max(0, Math.floor((now - flow.oldestPendingAt) / 1000)),
    batches_failed: stored.failed,
    open_windows: flow.openWindows,
    last_window_end:
      stored.lastWindowStart === null ? null : isoOf(stored.lastWindowStart.getTime() + WINDOW_MS),
    last_scored_window_end: stored.lastScored,
    rate: {
      datapoints_per_second: flow.datapointsPerSecond,
      batches_per_second: flow.batchesPerSecond,
      limit: flow.rateLimit,
    },
    series_used: flow.seriesUsed,
    series_limit: flow.seriesLimit,
    warnings: warningsOf({ ...flow, ...stored }),
  })
})

const isoOf = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString())

async function storedStatus(db: Database, tenantId: string) {
  const [[window], [scored], [failed], unitChanges] = await db.batch([
    db
      .select({ last: max(windowAggregates.windowStart) })
      .from(windowAggregates)
      .where(eq(windowAggregates.tenantId, tenantId)),
    db
      .select({ last: max(anomalyScores.windowEnd) })
      .from(anomalyScores)
      .where(eq(anomalyScores.tenantId, tenantId)),
    db
      .select({ n: count() })
      .from(batches)
      .where(and(eq(batches.tenantId, tenantId), eq(batches.status, 'failed'))),
    recentUnitChanges(db, tenantId, Date.now()),
  ])
  return {
    lastWindowStart: window?.last ?? null,
    lastScored: scored?.last ?? null,
    failed: failed?.n ?? 0,
    unitChanges,
  }
}
