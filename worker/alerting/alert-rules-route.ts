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

const RuleFields = v.object({
  name: Name,
  metric_id: told(v.nullable(Id), 'The metric it watches; null: all of them.'),
  threshold: told(v.pipe(v.number(), v.finite(), v.gtValue(0)), 'The score that raises an alert.'),
  for_windows: told(
    v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000)),
    'For how many windows in a row the score must stay there.',
  ),
  cooldown_seconds: told(
    v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(31_536_000)),
    'How long after an alert was resolved none is raised.',
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
    for_windows: 1,
    cooldown_seconds: 0,
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
    cooldown_seconds: v.optional(entries.cooldown_seconds, 0),
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
        .values({ tenantId: c.get('tenantId'), id: crypto.randomUUID(), ...columnsOf(rule) })
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
  const { metric_id: metricId, for_windows: forWindows, cooldown_seconds: cooldownSeconds, ...same } = change
  return {
    ...same,
    ...(metricId !== undefined && { metricId }),
    ...(forWindows !== undefined && { forWindows }),
    ...(cooldownSeconds !== undefined && { cooldownSeconds }),
  }
}

function ruleView(row: typeof alertRules.$inferSelect): v.InferOutput<typeof AlertRule> {
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

/** `/v1/alert-rules`. The ML service evaluates the rules. */
export const alertRulesRoute = new Hono<AppEnv>()
  .get('/', requireScope('read'), listRules)
  .post('/', requireScope('manage'), createRule)
  .get('/:id', requireScope('read'), getRule)
  .patch('/:id', requireScope('manage'), changeRule)
  .delete('/:id', requireScope('manage'), deleteRule)
