import { and, asc, count, eq, gte, lt, lte, sql } from 'drizzle-orm'
import { type Context, Hono } from 'hono'
import * as v from 'valibot'
import { ofTenant } from '../../durable-objects/connect-database.ts'
import { anomalyScores, metrics } from '../../migrations/schema.ts'
import { WINDOW_MS } from '../../telemetry/window.ts'
import type { AppEnv } from '../app-env.ts'
import { db, query, queryTogether } from '../database.ts'
import { component, Id, Instant, told } from '../openapi/fields.ts'
import { operation } from '../openapi/operation.ts'
import { Range, rangeOf } from '../query/parameters.ts'
import { requireScope } from '../tenant-auth.ts'
import { requireMetric } from './alert-rules-route.ts'
import { type Firing, type FiringRule, firingsOf, type StoredScore } from './rule-firings.ts'
import { RuleTrial } from './rule-schemas.ts'

/** Postgres looks through as many scores in a second or two; a rule on more metrics is tried on less of the past. */
const MAX_WINDOWS = 1_000_000
/** Scores at or above the threshold, and those that end a run of them. */
const MAX_CROSSINGS = 50_000
const MAX_SHOWN = 100

const Count = v.pipe(v.number(), v.integer())
const RulePreview = component(
  'AlertRulePreview',
  v.object({
    from: told(Instant, 'From here on scores were looked at: later than asked for where there are too many.'),
    to: told(Instant, 'Up to here.'),
    windows: told(Count, 'How many windows were looked at; those scored while learning raise nothing.'),
    alerts: told(Count, 'How many alerts would have been raised.'),
    complete: told(v.boolean(), 'False: there are more alerts than were counted.'),
    metrics: told(Count, 'Of how many metrics.'),
    latest: told(
      v.array(
        v.object({
          metric_id: Id,
          window_end: told(Instant, 'The end of the window that would have raised it.'),
          resolved_window_end: told(v.nullable(Instant), 'The end of the window that would have closed it.'),
        }),
      ),
      `The newest ${MAX_SHOWN} of them, newest first.`,
    ),
  }),
  'How often a rule would have fired on the scores that are stored.',
  {
    from: '2026-01-01T00:00:00.000Z',
    to: '2026-01-08T00:00:00.000Z',
    windows: 2016,
    alerts: 1,
    complete: true,
    metrics: 1,
    latest: [
      {
        metric_id: '7b0f9c52-93d1-5a60-9d0e-2f4c7a1b3e58',
        window_end: '2026-01-07T12:05:00.000Z',
        resolved_window_end: '2026-01-07T12:20:00.000Z',
      },
    ],
  },
)

const previewRule = operation(
  {
    operationId: 'previewAlertRule',
    tag: 'Alerts',
    summary: 'Try an alert rule on the past',
    description:
      'How often the rule would have fired on the scores stored of that time; nothing is created. `from` and `to` are on `window_end`.',
    query: Range,
    body: RuleTrial,
    answer: RulePreview,
    returns: 'What the rule would have done.',
  },
  async (c, given) => {
    const metricId = given.body.metric_id
    const rule = firingRuleOf(given.body)
    const tenantId = c.get('tenantId')
    await requireMetric(c, metricId)
    const { from: wanted, to } = rangeOf(given.query, Date.now())
    const from = metricId === null ? await affordable(c, wanted, to) : wanted
    const within = scored(tenantId, metricId, from, to)
    const [[looked], crossings] = await queryTogether(c.env, ofTenant(tenantId), [
      db.select({ windows: count() }).from(anomalyScores).where(within),
      crossingsOf(within, rule),
    ])
    const firings = firingsByMetric(rule, crossings.slice(0, MAX_CROSSINGS))
    return {
      from,
      to,
      windows: looked?.windows ?? 0,
      alerts: firings.length,
      complete: crossings.length <= MAX_CROSSINGS,
      metrics: new Set(firings.map((firing) => firing.metricId)).size,
      latest: firings.slice(0, MAX_SHOWN).map(firingView),
    }
  },
)

const firingRuleOf = (rule: v.InferOutput<typeof RuleTrial>): FiringRule => ({
  threshold: rule.threshold,
  direction: rule.direction,
  minDeviation: rule.min_deviation,
  minDeviationRelative: rule.min_deviation_relative,
  forWindows: rule.for_windows,
  resolveWindows: rule.resolve_windows,
  cooldownMs: rule.cooldown_seconds * 1000,
})

/** Where to begin, so that no more than MAX_WINDOWS are between there and `to` when every metric sends always. */
async function affordable(c: Context<AppEnv>, wanted: Date, to: Date): Promise<Date> {
  const ofTheTenant = eq(metrics.tenantId, c.get('tenantId'))
  const [row] = await query(c, db.select({ n: count() }).from(metrics).where(ofTheTenant))
  const windowsEach = Math.floor(MAX_WINDOWS / Math.max(1, row?.n ?? 0))
  return new Date(Math.max(wanted.getTime(), to.getTime() - windowsEach * WINDOW_MS))
}

const scored = (tenantId: string, metricId: string | null, from: Date, to: Date) =>
  and(
    eq(anomalyScores.tenantId, tenantId),
    metricId === null ? undefined : eq(anomalyScores.metricId, metricId),
    eq(anomalyScores.state, 'ready'),
    gte(anomalyScores.windowEnd, from),
    lt(anomalyScores.windowEnd, to),
  )

/**
 * Every score that reaches the threshold, whatever it deviates by, and as many after a run of them as may resolve an
 * alert: all that a rule's verdict hangs on, for every other window is no hit and follows enough that are none.
 */
function crossingsOf(within: ReturnType<typeof scored>, { threshold, resolveWindows }: FiringRule) {
  const { metricId, windowEnd, score, deviation } = anomalyScores
  const expected = sql<
    number | null
  >`${anomalyScores.expectedLow} / 2 + ${anomalyScores.expectedHigh} / 2`.as('expected')
  const inOrder = sql`over (partition by ${metricId} order by ${windowEnd})`
  const ranked = db
    .select({
      metricId,
      windowEnd,
      score,
      deviation,
      expected,
      rank: sql<number>`row_number() ${inOrder}`.as('rank'),
    })
    .from(anomalyScores)
    .where(within)
    .as('ranked')
  const hit = sql<number>`max(case when ${ranked.score} >= ${threshold} then ${ranked.rank} end)
    over (partition by ${ranked.metricId} order by ${ranked.rank})`
  const each = db
    .select({
      metricId: ranked.metricId,
      windowEnd: ranked.windowEnd,
      score: ranked.score,
      deviation: ranked.deviation,
      expected: ranked.expected,
      sinceHit: sql<number>`${ranked.rank} - ${hit}`.as('since_hit'),
    })
    .from(ranked)
    .as('each')
  return db
    .select({
      ...{ metricId: each.metricId, windowEnd: each.windowEnd, score: each.score },
      ...{ deviation: each.deviation, expected: each.expected },
    })
    .from(each)
    .where(lte(each.sinceHit, resolveWindows))
    .orderBy(asc(each.metricId), asc(each.windowEnd))
    .limit(MAX_CROSSINGS + 1)
}

interface Crossing {
  metricId: string
  windowEnd: Date
  score: number
  deviation: number | null
  expected: number | null
}

const storedScoreOf = ({ windowEnd, score, deviation, expected }: Crossing): StoredScore => ({
  windowEnd: windowEnd.getTime(),
  score,
  deviation: deviation === null || expected === null ? undefined : { amount: deviation, expected },
})

interface MetricFiring extends Firing {
  metricId: string
}

/** Newest first. */
function firingsByMetric(rule: FiringRule, crossings: Crossing[]): MetricFiring[] {
  const byMetric = Map.groupBy(crossings, ({ metricId }) => metricId)
  return [...byMetric]
    .flatMap(([metricId, scores]) =>
      firingsOf(rule, scores.map(storedScoreOf)).map((firing) => ({ metricId, ...firing })),
    )
    .sort((a, b) => b.openedAt - a.openedAt)
}

const firingView = ({ metricId, openedAt, resolvedAt }: MetricFiring) => ({
  metric_id: metricId,
  window_end: new Date(openedAt),
  resolved_window_end: resolvedAt === undefined ? null : new Date(resolvedAt),
})

/** `POST /v1/alert-rules/preview`: changes nothing, so it takes a key that may read. */
export const rulePreviewRoute = new Hono<AppEnv>().post('/preview', requireScope('read'), previewRule)
