import { and, asc, eq, sql } from 'drizzle-orm'
import { type Context, Hono } from 'hono'
import * as v from 'valibot'
import { alertRules, metrics } from '../../migrations/schema.ts'
import { Name } from '../../telemetry/name.ts'
import type { AppEnv } from '../app-env.ts'
import { db, query } from '../database.ts'
import { component, Id, pageOf, told } from '../openapi/fields.ts'
import { operation } from '../openapi/operation.ts'
import { Problem } from '../problem.ts'
import { cursorOf, idOf, Limit, notFound, page } from '../query/parameters.ts'
import { requireScope } from '../tenant-auth.ts'

const Windows = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000))
const Seconds = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(31_536_000))
const NotNegative = v.pipe(v.number(), v.finite(), v.minValue(0))

const RuleFields = v.object({
  name: Name,
  metric_id: told(v.nullable(Id), 'The metric it watches; null: all of them.'),
  threshold: told(v.pipe(v.number(), v.finite(), v.gtValue(0)), 'The score that raises an alert.'),
  for_windows: told(Windows, 'For how many windows in a row the score must stay there.'),
  resolve_windows: told(Windows, 'For how many windows in a row it must not, for the alert to be over.'),
  cooldown_seconds: told(Seconds, 'How long after an alert was resolved none is raised.'),
  direction: told(
    v.picklist(['above', 'below', 'both']),
    'Which way a window must have left what was expected: by its median or, where that is as expected, by the value ' +
      'farthest from it.',
  ),
  min_deviation: told(
    NotNegative,
    'How far it must have left the middle of what was expected, in the metric’s unit.',
  ),
  min_deviation_relative: told(
    NotNegative,
    'The same as a share of the middle of what was expected: 0.05 is 5 %. Both least deviations must be met.',
  ),
  max_age_seconds: told(
    Seconds,
    'Alerts of windows that ended longer ago when they were scored are stored, and no webhook hears of them.',
  ),
  enabled: v.boolean(),
})
const { entries } = RuleFields
const AlertRule = component(
  'AlertRule',
  v.object({ id: Id, ...entries }),
  'When scores raise an alert: one opens when they reach the threshold and closes when they fall below.',
  {
    id: '9a7c5e31-2b4d-4f68-8a0c-1e3f5d7b9c24',
    name: 'Pump 7 runs hot',
    metric_id: '7b0f9c52-93d1-5a60-9d0e-2f4c7a1b3e58',
    threshold: 1,
    for_windows: 2,
    resolve_windows: 3,
    cooldown_seconds: 0,
    direction: 'above',
    min_deviation: 0.5,
    min_deviation_relative: 0,
    max_age_seconds: 86_400,
    enabled: true,
  },
)
export const NewRule = component(
  'NewAlertRule',
  v.object({
    ...entries,
    metric_id: v.optional(entries.metric_id, null),
    threshold: v.optional(entries.threshold, 1),
    for_windows: v.optional(entries.for_windows, 1),
    resolve_windows: v.optional(entries.resolve_windows, 1),
    cooldown_seconds: v.optional(entries.cooldown_seconds, 0),
    direction: v.optional(entries.direction, 'both'),
    min_deviation: v.optional(entries.min_deviation, 0),
    min_deviation_relative: v.optional(entries.min_deviation_relative, 0),
    max_age_seconds: v.optional(entries.max_age_seconds, 86_400),
    enabled: v.optional(entries.enabled, true),
  }),
  'An alert rule to create.',
  { name: 'Pump 7 runs hot', metric_id: '7b0f9c52-93d1-5a60-9d0e-2f4c7a1b3e58' },
)
const RuleChange = component('AlertRuleChange', v.partial(RuleFields), 'What to change of an alert rule.', {
  threshold: 1.5,
})

const params = idOf('rule')

const listRules = operation(
  {
    operationId: 'listAlertRules',
    tag: 'Alerts',
    summary: 'List alert rules',
    query: v.object({ limit: Limit, cursor: cursorOf(Id) }),
    answer: pageOf('AlertRulePage', AlertRule),
    returns: 'A page of rules.',
  },
  async (c, { query: { limit, cursor: after } }) => {
    const rows = await query(
      c,
      db
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
    return page(rows, limit, ruleView, (row) => row.id)
  },
)

const createRule = operation(
  {
    operationId: 'createAlertRule',
    tag: 'Alerts',
    summary: 'Create an alert rule',
    description: 'It judges windows that are scored from now on.',
    body: NewRule,
    status: 201,
    answer: AlertRule,
    returns: 'The rule.',
  },
  async (c, { body: rule }) => {
    await requireMetric(c, rule.metric_id)
    const [row] = await query(
      c,
      db
        .insert(alertRules)
        .values({
          tenantId: c.get('tenantId'),
          id: crypto.randomUUID(),
          ...columnsOf(rule),
          name: rule.name,
          threshold: rule.threshold,
        })
        .returning(),
    )
    return ruleView(row!)
  },
)

const getRule = operation(
  {
    operationId: 'getAlertRule',
    tag: 'Alerts',
    summary: 'Read an alert rule',
    params,
    answer: AlertRule,
    returns: 'The rule.',
  },
  async (c, given) => ruleView(await ruleOf(c, given.params.id)),
)

const changeRule = operation(
  {
    operationId: 'updateAlertRule',
    tag: 'Alerts',
    summary: 'Change an alert rule',
    description: 'Fields that are left out stay as they are.',
    params,
    body: RuleChange,
    answer: AlertRule,
    returns: 'The rule as it is now.',
  },
  async (c, { params: { id }, body: change }) => {
    const found = await ruleOf(c, id)
    if (change.metric_id) await requireMetric(c, change.metric_id)
    if (Object.keys(change).length === 0) return ruleView(found)
    const [row] = await query(
      c,
      db
        .update(alertRules)
        .set(columnsOf(change))
        .where(and(eq(alertRules.tenantId, found.tenantId), eq(alertRules.id, id)))
        .returning(),
    )
    if (row === undefined) throw notFound()
    return ruleView(row)
  },
)

const deleteRule = operation(
  {
    operationId: 'deleteAlertRule',
    tag: 'Alerts',
    summary: 'Delete an alert rule',
    params,
    returns: 'It is gone.',
  },
  async (c, given) => {
    const { tenantId, id } = await ruleOf(c, given.params.id)
    await query(c, db.delete(alertRules).where(and(eq(alertRules.tenantId, tenantId), eq(alertRules.id, id))))
  },
)

async function ruleOf(c: Context<AppEnv>, id: string) {
  const [row] = await query(
    c,
    db
      .select()
      .from(alertRules)
      .where(and(eq(alertRules.tenantId, c.get('tenantId')), eq(alertRules.id, id))),
  )
  if (row === undefined) throw notFound()
  return row
}

/** A rule on a metric that the tenant does not have is a mistake worth telling, not a foreign key's error. */
export async function requireMetric(c: Context<AppEnv>, metricId: string | null): Promise<void> {
  if (metricId === null) return
  const rows = await query(
    c,
    db
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
  // What is undefined is not set.
  return {
    name: change.name,
    metricId: change.metric_id,
    threshold: change.threshold,
    forWindows: change.for_windows,
    resolveWindows: change.resolve_windows,
    cooldownSeconds: change.cooldown_seconds,
    direction: change.direction,
    minDeviation: change.min_deviation,
    minDeviationRelative: change.min_deviation_relative,
    maxAgeSeconds: change.max_age_seconds,
    enabled: change.enabled,
  }
}

function ruleView(row: typeof alertRules.$inferSelect): v.InferOutput<typeof AlertRule> {
  return {
    id: row.id,
    name: row.name,
    metric_id: row.metricId,
    threshold: row.threshold,
    for_windows: row.forWindows,
    resolve_windows: row.resolveWindows,
    cooldown_seconds: row.cooldownSeconds,
    direction: row.direction,
    min_deviation: row.minDeviation,
    min_deviation_relative: row.minDeviationRelative,
    max_age_seconds: row.maxAgeSeconds,
    enabled: row.enabled,
  }
}

/** `/v1/alert-rules`. The ML service evaluates the rules. */
export const alertRulesRoute = new Hono<AppEnv>()
  .get('/', requireScope('read'), listRules)
  .post('/', requireScope('manage'), createRule)
  .get('/:id', requireScope('read'), getRule)
  .patch('/:id', requireScope('manage'), changeRule)
  .delete('/:id', requireScope('manage'), deleteRule)
