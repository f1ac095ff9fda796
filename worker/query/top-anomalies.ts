import { and, desc, eq, gte, lt, sql } from 'drizzle-orm'
import * as v from 'valibot'
import { anomalyScores, devices, metrics } from '../../migrations/schema.ts'
import { db, query } from '../database.ts'
import { component, Id, Instant, told } from '../openapi/fields.ts'
import { operation } from '../openapi/operation.ts'
import { Limit, Range, rangeOf } from './parameters.ts'

/** From here on a window is anomalous, on every metric; an index holds those that are. */
const ANOMALOUS = 1

const TopAnomaly = component(
  'TopAnomaly',
  v.object({
    metric_id: Id,
    device_id: Id,
    device: told(v.string(), 'The name of its device.'),
    metric: told(v.string(), 'The name of the metric.'),
    unit: told(v.nullable(v.string()), 'The latest unit sent; null: none was.'),
    window_start: Instant,
    window_end: Instant,
    score: told(v.number(), 'The highest of the metric in the time asked for.'),
    anomalous_windows: told(v.pipe(v.number(), v.integer()), 'How many windows of it were anomalous.'),
    reasons: told(v.array(v.string()), 'Sentences for people about that window.'),
  }),
  'A metric with its most unusual window.',
  {
    metric_id: '7b0f9c52-93d1-5a60-9d0e-2f4c7a1b3e58',
    device_id: '0f3c1f5e-5d0c-5c1a-9c55-6c3b8a2f9d10',
    device: 'pump-7',
    metric: 'temperature',
    unit: 'C',
    window_start: '2026-01-08T12:00:00.000Z',
    window_end: '2026-01-08T12:05:00.000Z',
    score: 1.42,
    anomalous_windows: 3,
    reasons: ['81.2 is 6.3 above anything usual (around 71.5)'],
  },
)
const TopAnomalies = component(
  'TopAnomalies',
  v.object({
    data: v.array(TopAnomaly),
    next_cursor: told(v.null(), 'Always null: ask for as many as you want to see.'),
  }),
  'The metrics that were most unusual, each once.',
)

/** `GET /v1/anomalies/top`. */
export const listTopAnomalies = operation(
  {
    operationId: 'listTopAnomalies',
    tag: 'Detection',
    summary: 'List the most anomalous metrics',
    description:
      'Each metric with an anomalous window, by its highest score; `from` and `to` are on `window_end`.',
    query: v.object({ ...Range.entries, limit: Limit }),
    answer: TopAnomalies,
    returns: 'Metrics, the most anomalous first.',
  },
  async (c, { query: { limit, ...range } }) => {
    const { from, to } = rangeOf(range, Date.now())
    const tenantId = c.get('tenantId')
    const worst = db
      .selectDistinctOn([anomalyScores.metricId], {
        metric_id: anomalyScores.metricId,
        window_start: anomalyScores.windowStart,
        window_end: anomalyScores.windowEnd,
        score: anomalyScores.score,
        reasons: anomalyScores.reasons,
        anomalous_windows: sql<number>`count(*) over (partition by ${anomalyScores.metricId})`
          .mapWith(Number)
          .as('anomalous_windows'),
      })
      .from(anomalyScores)
      .where(
        and(
          eq(anomalyScores.tenantId, tenantId),
          gte(anomalyScores.windowEnd, from),
          lt(anomalyScores.windowEnd, to),
          // Said in the statement's own text: of a bound value Postgres cannot know that the index holds it.
          sql`${anomalyScores.score} >= ${sql.raw(String(ANOMALOUS))}`,
        ),
      )
      .orderBy(anomalyScores.metricId, desc(anomalyScores.score), anomalyScores.windowEnd)
      .as('worst')
    const data = await query(
      c,
      db
        .select({
          metric_id: worst.metric_id,
          device_id: metrics.deviceId,
          device: devices.externalId,
          metric: metrics.name,
          unit: metrics.unit,
          window_start: worst.window_start,
          window_end: worst.window_end,
          score: worst.score,
          anomalous_windows: worst.anomalous_windows,
          reasons: worst.reasons,
        })
        .from(worst)
        .innerJoin(metrics, and(eq(metrics.tenantId, tenantId), eq(metrics.id, worst.metric_id)))
        .innerJoin(devices, and(eq(devices.tenantId, tenantId), eq(devices.id, metrics.deviceId)))
        .orderBy(desc(worst.score), worst.metric_id)
        .limit(limit),
    )
    return { data, next_cursor: null }
  },
)
