import { and, asc, eq, gte, lt, sql } from 'drizzle-orm'
import { Hono } from 'hono'
import * as v from 'valibot'
import { anomalyScores } from '../../migrations/schema.ts'
import type { AppEnv } from '../app-env.ts'
import { db, query } from '../database.ts'
import { component, Id, Instant, pageOf, told } from '../openapi/fields.ts'
import { operation } from '../openapi/operation.ts'
import { requireScope } from '../tenant-auth.ts'
import {
  cursorOf,
  emptyPage,
  InstantAndIdCursor,
  idFilter,
  Limit,
  page,
  Range,
  rangeOf,
} from './parameters.ts'
import { ReadyAt, readyAtView } from './ready-at.ts'
import { listTopAnomalies } from './top-anomalies.ts'

const Anomaly = component(
  'Anomaly',
  v.object({
    metric_id: Id,
    window_start: Instant,
    window_end: Instant,
    score: told(v.number(), 'How unusual the window is: 1.0 or more is anomalous, on every metric alike.'),
    onset_score: told(
      v.number(),
      'The score where it stands out from the 12 hours before, else 0: one an episode.',
    ),
    state: told(v.picklist(['learning', 'ready']), 'While `learning`, `score` is 0.'),
    reasons: told(
      v.array(v.string()),
      'Sentences for people about what was unusual, the most unusual first.',
    ),
    expected: told(
      v.object({ low: v.nullable(v.number()), high: v.nullable(v.number()) }),
      'Medians of the window that would have been usual, in the unit of the metric; null while learning.',
    ),
    ready_at: ReadyAt,
    model_id: told(v.nullable(Id), 'The model that scored it.'),
    scored_at: Instant,
  }),
  'How unusual one closed window of a metric was.',
  {
    metric_id: '7b0f9c52-93d1-5a60-9d0e-2f4c7a1b3e58',
    window_start: '2026-01-08T12:00:00.000Z',
    window_end: '2026-01-08T12:05:00.000Z',
    score: 1.42,
    onset_score: 1.42,
    state: 'ready',
    reasons: ['81.2 is 6.3 above anything usual (around 71.5)'],
    expected: { low: 68.2, high: 74.9 },
    ready_at: null,
    model_id: '3d8e0a14-7c2b-4f6d-9e15-b2a4c6d8f013',
    scored_at: '2026-01-08T12:06:31.204Z',
  },
)

const SCORE_RULE = 'must be a number'
const MinScore = v.pipe(
  v.string(),
  v.check((text) => text.trim() !== '', SCORE_RULE),
  v.transform(Number),
  v.number(SCORE_RULE),
  v.finite(SCORE_RULE),
  v.description('Only windows with this score or more; 1 for the anomalous ones.'),
)

const listAnomalies = operation(
  {
    operationId: 'listAnomalies',
    tag: 'Detection',
    summary: 'List scored windows',
    description:
      'One row a closed, non-empty window of 300 seconds, ordered by `window_end`, oldest first; `from` and `to` are on `window_end`.',
    query: v.object({
      metric_id: idFilter('Only windows of this metric.'),
      ...Range.entries,
      min_score: v.optional(MinScore),
      limit: Limit,
      cursor: cursorOf(InstantAndIdCursor),
    }),
    answer: pageOf('AnomalyPage', Anomaly),
    returns: 'A page of scored windows.',
  },
  async (c, { query: { metric_id: metricId, min_score: minScore, limit, cursor: after, ...range } }) => {
    const now = Date.now()
    const { from, to } = rangeOf(range, now)
    if (metricId === null) return emptyPage()
    const rows = await query(
      c,
      db
        .select()
        .from(anomalyScores)
        .where(
          and(
            eq(anomalyScores.tenantId, c.get('tenantId')),
            metricId === undefined ? undefined : eq(anomalyScores.metricId, metricId),
            gte(anomalyScores.windowEnd, from),
            lt(anomalyScores.windowEnd, to),
            minScore === undefined ? undefined : gte(anomalyScores.score, minScore),
            after &&
              sql`(${anomalyScores.windowEnd}, ${anomalyScores.metricId}) > (${after[0]}, ${after[1]})`,
          ),
        )
        .orderBy(asc(anomalyScores.windowEnd), asc(anomalyScores.metricId))
        .limit(limit + 1),
    )
    return page(
      rows,
      limit,
      (row) => anomalyView(row, now),
      (row) => [row.windowEnd.getTime(), row.metricId],
    )
  },
)

function anomalyView(row: typeof anomalyScores.$inferSelect, now: number): v.InferOutput<typeof Anomaly> {
  return {
    metric_id: row.metricId,
    window_start: row.windowStart,
    window_end: row.windowEnd,
    score: row.score,
    onset_score: row.onsetScore,
    state: row.state,
    reasons: row.reasons,
    expected: { low: row.expectedLow, high: row.expectedHigh },
    ready_at: readyAtView(row.readyAt, now),
    model_id: row.modelId,
    scored_at: row.scoredAt,
  }
}

/** `GET /v1/anomalies`, and the worst of them. */
export const anomaliesRoute = new Hono<AppEnv>()
  .get('/', requireScope('read'), listAnomalies)
  .get('/top', requireScope('read'), listTopAnomalies)
