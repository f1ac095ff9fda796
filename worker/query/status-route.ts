import { and, count, eq, max } from 'drizzle-orm'
import { Hono } from 'hono'
import * as v from 'valibot'
import { ofTenant } from '../../durable-objects/connect-database.ts'
import { errorFields, log } from '../../durable-objects/log.ts'
import { RateLimit } from '../../durable-objects/rate-limit.ts'
import { anomalyScores, batches, windowAggregates } from '../../migrations/schema.ts'
import { WINDOW_MS } from '../../telemetry/window.ts'
import type { AppEnv } from '../app-env.ts'
import { db, queryTogether } from '../database.ts'
import { component, Instant, told } from '../openapi/fields.ts'
import { operation } from '../openapi/operation.ts'
import { Problem } from '../problem.ts'
import { requireScope } from '../tenant-auth.ts'
import { withinDeadline } from '../within-deadline.ts'
import { partitionState, recentUnitChanges, Warning, warningsOf } from './status-warnings.ts'

const Count = v.pipe(v.number(), v.integer())
const Status = component(
  'Status',
  v.object({
    last_batch_at: told(v.nullable(Instant), 'When the newest batch was accepted.'),
    batches_pending: told(Count, 'Batches accepted and not yet in the database.'),
    oldest_pending_seconds: told(
      v.nullable(Count),
      'How long the oldest of them has waited; null: there are none.',
    ),
    batches_failed: told(v.nullable(Count), 'Batches that could not be stored; null: the database is away.'),
    open_windows: told(Count, 'Windows of 300 s that still take datapoints.'),
    last_window_end: told(v.nullable(Instant), 'The end of the newest window that can be read.'),
    last_scored_window_end: told(v.nullable(Instant), 'The end of the newest window that is scored.'),
    rate: told(
      v.object({
        datapoints_per_second: told(v.number(), 'Mean of the last minute.'),
        batches_per_second: told(v.number(), 'Mean of the last minute.'),
        limit: told(v.nullable(RateLimit), 'What the plan allows; null: no limit.'),
      }),
      'How fast data arrives.',
    ),
    series_used: told(Count, 'Series that have sent data.'),
    series_limit: told(Count, 'How many series the plan allows.'),
    warnings: told(v.array(Warning), 'What needs attention.'),
  }),
  'How a tenant’s data flows right now.',
  {
    last_batch_at: '2026-01-08T12:30:00.250Z',
    batches_pending: 1,
    oldest_pending_seconds: 0,
    batches_failed: 0,
    open_windows: 2,
    last_window_end: '2026-01-08T12:25:00.000Z',
    last_scored_window_end: '2026-01-08T12:20:00.000Z',
    rate: { datapoints_per_second: 20.5, batches_per_second: 0.2, limit: null },
    series_used: 2,
    series_limit: 100000,
    warnings: [],
  },
)

const getStatus = operation(
  {
    operationId: 'getStatus',
    tag: 'Account',
    summary: 'How data flows right now',
    description:
      'At a glance: what has arrived, what waits, what the plan has left, and what needs attention.',
    answer: Status,
    returns: 'The status of the tenant.',
  },
  async (c) => {
    const tenantId = c.get('tenantId')
    const [flow, stored] = await Promise.all([
      withinDeadline(c.env.TENANT_CONTROL.getByName(tenantId).status()),
      storedStatus(c.env, tenantId).catch(unlessAway),
    ])
    const pendingMs = flow.oldestPendingAt === null ? null : Date.now() - flow.oldestPendingAt
    return {
      last_batch_at: dateOf(flow.lastBatchAt),
      batches_pending: flow.batchesPending,
      oldest_pending_seconds: pendingMs === null ? null : Math.max(0, Math.floor(pendingMs / 1000)),
      batches_failed: stored?.failed ?? null,
      open_windows: flow.openWindows,
      last_window_end: stored?.lastWindowEnd ?? null,
      last_scored_window_end: stored?.lastScored ?? null,
      rate: {
        datapoints_per_second: flow.datapointsPerSecond,
        batches_per_second: flow.batchesPerSecond,
        limit: flow.rateLimit,
      },
      series_used: flow.seriesUsed,
      series_limit: flow.seriesLimit,
      warnings: warningsOf(flow, stored),
    }
  },
)

/** `GET /v1/status`. */
export const statusRoute = new Hono<AppEnv>().get('/', requireScope('read'), getStatus)

const dateOf = (ms: number | null) => (ms === null ? null : new Date(ms))

/** What waits is in the objects, and asked for most while the database is away: then it is told without the rest. */
function unlessAway(error: unknown): undefined {
  if (!(error instanceof Problem) || error.code !== 'unavailable') throw error
  log('warn', 'status_without_database', errorFields(error.cause))
}

async function storedStatus(env: Env, tenantId: string) {
  const [[window], [scored], [failed], unitChanges, [partitions]] = await queryTogether(
    env,
    ofTenant(tenantId),
    [
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
      recentUnitChanges(tenantId, Date.now()),
      partitionState(Date.now()),
    ],
  )
  return {
    lastWindowEnd: window?.last ? new Date(window.last.getTime() + WINDOW_MS) : null,
    lastScored: scored?.last ?? null,
    failed: failed?.n ?? 0,
    unitChanges,
    ...{ defaultFilled: partitions?.defaultFilled ?? false, daysEnding: partitions?.daysEnding ?? false },
  }
}
