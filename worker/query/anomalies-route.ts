import { and, asc, eq, gte, lt, sql } from 'drizzle-orm'
import { Hono } from 'hono'
import * as v from 'valibot'
import { anomalyScores } from '../../migrations/schema.ts'
import type { AppEnv } from '../app-env.ts'
import { database, query } from '../database.ts'
import { requireScope } from '../tenant-auth.ts'
import { cursorOf, InstantCursor, invalidParameter, limitOf, page, rangeOf, uuidOf } from './parameters.ts'

/** `GET /v1/anomalies`: one row a scored window, oldest first. */
export const anomaliesRoute = new Hono<AppEnv>().get('/', requireScope('read'), async (c) => {
  const limit = limitOf(c)
  const { from, to } = rangeOf(c, Date.now())
  const minScore = minScoreOf(c.req.query('min_score'))
  const after = cursorOf(c, v.tuple([InstantCursor, v.pipe(v.string(), v.uuid())]))
  const wanted = c.req.query('metric_id')
  const metricId = uuidOf(wanted)
  if (wanted !== undefined && metricId === undefined) return c.json({ data: [], next_cursor: null })
  const rows = await query(
    database(c.env)
      .select()
      .from(anomalyScores)
      .where(
        and(
          eq(anomalyScores.tenantId, c.get('tenantId')),
          metricId === undefined ? undefined : eq(anomalyScores.metricId, metricId),
          gte(anomalyScores.windowEnd, from),
          lt(anomalyScores.windowEnd, to),
          minScore === undefined ? undefined : gte(anomalyScores.score, minScore),
          after && sql`(${anomalyScores.windowEnd}, ${anomalyScores.metricId}) > (${after[0]}, ${after[1]})`,
        ),
      )
      .orderBy(asc(anomalyScores.windowEnd), asc(anomalyScores.metricId))
      .limit(limit + 1),
  )
  return c.json(page(rows, limit, anomalyView, (row) => [row.windowEnd.getTime(), row.metricId]))
})

function minScoreOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const score = Number(text)
  if (text.trim() === '' || !Number.isFinite(score)) throw invalidParameter('min_score', 'must be a number')
  return score
}

function anomalyView(row: typeof anomalyScores.$inferSelect) {
  return {
    metric_id: row.metricId,
    window_start: row.windowStart,
    window_end: row.windowEnd,
    score: row.score,
    onset_score: row.onsetScore,
    state: row.state,
    reasons: row.reasons,
    expected: { low: row.expectedLow, high: row.expectedHigh },
    model_id: row.modelId,
    scored_at: row.scoredAt,
  }
}
