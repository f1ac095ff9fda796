import { and, asc, eq, gte, lt, sql } from 'drizzle-orm'
import { type Context, Hono } from 'hono'
import * as v from 'valibot'
import { alertEvents, alertRules, metrics } from '../../migrations/schema.ts'
import { isName } from '../../telemetry/name.ts'
import type { AppEnv } from '../app-env.ts'
import { database, query } from '../database.ts'
import { Problem } from '../problem.ts'
import {
  cursorOf,
  InstantCursor,
  limitOf,
  notFound,
  page,
  pathId,
  rangeOf,
  uuidOf,
} from '../query/parameters.ts'
import { requestJson } from '../request-json.ts'
import { requireScope } from '../tenant-auth.ts'

const Name = v.custom<string>(isName, 'must be 1 to 128 characters of text without control characters')
const RuleFields = v.object({
  name: Name,
  metric_id: v.nullable(v.pipe(v.string(), v.uuid())),
  threshold: v.pipe(v.number(), v.finite(), v.gtValue(0)),
  for_windows: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000)),
  cooldown_seconds: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(31_536_000)),
  enabled: v.boolean(),
})
const NewRule = v.object({
  ...RuleFields.entries,
  metric_id: v.optional(RuleFields.entries.metric_id, null),
  threshold: v.optional(RuleFields.entries.threshold, 1),
  for_windows: v.optional(RuleFields.entries.for_windows, 1),
  cooldown_seconds: v.optional(RuleFields.entries.cooldown_seconds, 0),
  enabled: v.optional(v.boolean(), true),
})
const RuleChange = v.partial(RuleFields)

/** `/v1/alert-rules` and `GET /v1/alerts`. The ML service evaluates the rules and stores the events. */
export const alertRoutes = new Hono<AppEnv>()
  .get('/alert-rules', requireScope('read'), listRules)
  .post('/alert-rules', requireScope('manage'), createRule)
  .get('/alert-rules/:id', requireScope('read'), async (c) => c.json(ruleView(await ruleOf(c))))
  .patch('/alert-rules/:id', requireScope('manage'), changeRule)
  .delete('/alert-rules/:id', requireScope('manage'), deleteRule)
  .get('/alerts', requireScope('read'), listAlerts)

async function listRules(c: Context<AppEnv>) {
  const limit = limitOf(c)
  const after = cursorOf(c, v.pipe(v.string(), v.uuid()))
  const rows = await query(
    database(c.env)
      .select()
      .from(alertRules)
      .where(
        and(
          eq(alertRules.tenantId, c.get('tenantId')),
          after === undefined ? undefined : sql`${alertRules.id} > ${after}`,
        ),
      )
      .orderBy(asc(alertRules.id))
      .limit(limit + 1),
  )
  return c.json(page(rows, limit, ruleView, (row) => row.id))
}

async function createRule(c: Context<AppEnv>) {
  const rule = await requestJson(c, NewRule)
  await requireMetric(c, rule.metric_id)
  const [row] = await query(
    database(c.env)
      .insert(alertRules)
      .values({ tenantId: c.get('tenantId'), id: crypto.randomUUID(), ...columnsOf(rule) })
      .returning(),
  )
  return c.json(ruleView(row!), 201)
}

async function changeRule(c: Context<AppEnv>) {
  const change = await requestJson(c, RuleChange)
  const { tenantId, id } = await ruleOf(c)
  if (change.metric_id) await requireMetric(c, change.metric_id)
  if (Object.keys(change).length === 0) return c.json(ruleView(await ruleOf(c)))
  const [row] = await query(
    database(c.env)
      .update(alertRules)
      .set(columnsOf(change))
      .where(and(eq(alertRules.tenantId, tenantId), eq(alertRules.id, id)))
      .returning(),
  )
  if (row === undefined) throw notFound()
  return c.json(ruleView(row))
}

async function deleteRule(c: Context<AppEnv>) {
  const { tenantId, id } = await ruleOf(c)
  await query(
    database(c.env)
      .delete(alertRules)
      .where(and(eq(alertRules.tenantId, tenantId), eq(alertRules.id, id))),
  )
  return c.body(null, 204)
}

async function ruleOf(c: Context<AppEnv>) {
  const [row] = await query(
    database(c.env)
      .select()
      .from(alertRules)
      .where(and(eq(alertRules.tenantId, c.get('tenantId')), eq(alertRules.id, pathId(c)))),
  )
  if (row === undefined) throw notFound()
  return row
}

/** A rule on a metric that the tenant does not have is a mistake worth telling, not a foreign key's error. */
async function requireMetric(c: Context<AppEnv>, metricId: string | null): Promise<void> {
  if (metricId === null) return
  const rows = await query(
    database(c.env)
      .select({ id: metrics.id })
      .from(metrics)
      .where(and(eq(metrics.tenantId, c.get('tenantId')), eq(metrics.id, metricId))),
  )
  if (rows.length > 0) return
  throw new Problem('validation_failed', 'The metric does not exist; take an id from GET /v1/metrics.', {
    errors: [{ path: 'metric_id', message: 'must be the id of a metric' }],
  })
}

function columnsOf<Change extends v.InferOutput<typeof RuleChange>>(change: Change) {
  const { metric_id: metricId, for_windows: forWindows, cooldown_seconds: cooldownSeconds, ...same } = change
  return {
    ...same,
    ...(metricId !== undefined && { metricId }),
    ...(forWindows !== undefined && { forWindows }),
    ...(cooldownSeconds !== undefined && { cooldownSeconds }),
  }
}

function ruleView(row: typeof alertRules.$inferSelect) {
  return {
    id: row.id,
    name: row.name,
    metric_id: row.metricId,
    threshold: row.threshold,
    for_windows: row.forWindows,
    cooldown_seconds: row.cooldownSeconds,
    enabled: row.enabled,
  }
}

async function listAlerts(c: Context<AppEnv>) {
  const limit = limitOf(c)
  const { from, to } = rangeOf(c, Date.now())
  const after = cursorOf(c, v.tuple([InstantCursor, v.pipe(v.string(), v.uuid())]))
  const wanted = c.req.query('metric_id')
  const metricId = uuidOf(wanted)
  const state = c.req.query('state')
  const nobodys = wanted !== undefined && metricId === undefined
  if (nobodys || (state !== undefined && state !== 'open' && state !== 'resolved')) {
    return c.json({ data: [], next_cursor: null })
  }
  const rows = await query(
    database(c.env)
      .select()
      .from(alertEvents)
      .where(
        and(
          eq(alertEvents.tenantId, c.get('tenantId')),
          metricId === undefined ? undefined : eq(alertEvents.metricId, metricId),
          state === undefined ? undefined : eq(alertEvents.state, state),
          gte(alertEvents.openedAt, from),
          lt(alertEvents.openedAt, to),
          after && sql`(${alertEvents.openedAt}, ${alertEvents.id}) > (${after[0]}, ${after[1]})`,
        ),
      )
      .orderBy(asc(alertEvents.openedAt), asc(alertEvents.id))
      .limit(limit + 1),
  )
  return c.json(page(rows, limit, alertView, (row) => [row.openedAt.getTime(), row.id]))
}

function alertView(row: typeof alertEvents.$inferSelect) {
  return {
    id: row.id,
    rule_id: row.ruleId,
    metric_id: row.metricId,
    window_end: row.windowEnd,
    score: row.score,
    threshold: row.threshold,
    state: row.state,
    opened_at: row.openedAt,
    resolved_at: row.resolvedAt,
    data_missing_since: row.dataMissingSince,
  }
}
