import { and, asc, eq, sql } from 'drizzle-orm'
import { type Context, Hono } from 'hono'
import * as v from 'valibot'
import { alertRules } from '../../migrations/alerting-schema.ts'
import { devices, metrics } from '../../migrations/schema.ts'
import type { AppEnv } from '../app-env.ts'
import { db, query } from '../database.ts'
import { Id, pageOf } from '../openapi/fields.ts'
import { operation } from '../openapi/operation.ts'
import { Problem } from '../problem.ts'
import { cursorOf, idOf, Limit, notFound, page } from '../query/parameters.ts'
import { requireScope } from '../tenant-auth.ts'
import { AlertRule, NewRule, RULE_DEFAULTS, RuleChange, strayFields } from './rule-schemas.ts'

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
    description: 'It judges windows that are scored, and silences that become too long, from now on.',
    body: NewRule,
    status: 201,
    answer: AlertRule,
    returns: 'The rule.',
  },
  async (c, { body: rule }) => {
    await requireFitting(c, rule.kind, rule)
    const values = { ...columnsOf(withDefaults(rule)), name: rule.name, kind: rule.kind }
    const tenantId = c.get('tenantId')
    const [row] = await query(
      c,
      db
        .insert(alertRules)
        .values({ tenantId, id: crypto.randomUUID(), ...values })
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
    description:
      'Fields that are left out stay as they are. What a rule that is disabled had left open is resolved, with the reason `rule_disabled`.',
    params,
    body: RuleChange,
    answer: AlertRule,
    returns: 'The rule as it is now.',
  },
  async (c, { params: { id }, body: change }) => {
    const found = await ruleOf(c, id)
    await requireFitting(c, found.kind, change)
    if (Object.keys(change).length === 0) return ruleView(found)
    // What was silent before it was enabled is old news.
    const armedAt = change.enabled ? sql`case when enabled then armed_at else now() end` : undefined
    const [row] = await query(
      c,
      db
        .update(alertRules)
        .set({ ...columnsOf(change), armedAt })
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

/** A rule says what its kind can say, of a metric or device that the tenant has. */
async function requireFitting(
  c: Context<AppEnv>,
  kind: 'anomaly' | 'silence',
  rule: { metric_id?: string | null | undefined; device_id?: string | null | undefined },
): Promise<void> {
  const strange = strayFields(kind, rule)
  if (strange.length > 0) {
    throw new Problem('validation_failed', `A rule of the kind "${kind}" cannot say this; leave it out.`, {
      errors: strange.map((path) => ({ path, message: `must not be given in a rule of the kind "${kind}"` })),
    })
  }
  await requireMetric(c, rule.metric_id ?? null)
  await requireDevice(c, rule.device_id ?? null)
}

async function requireDevice(c: Context<AppEnv>, deviceId: string | null): Promise<void> {
  if (deviceId === null) return
  const ofTheTenant = and(eq(devices.tenantId, c.get('tenantId')), eq(devices.id, deviceId))
  const rows = await query(c, db.select({ id: devices.id }).from(devices).where(ofTheTenant))
  if (rows.length > 0) return
  throw new Problem('validation_failed', 'The device does not exist; take an id from GET /v1/devices.', {
    errors: [{ path: 'device_id', message: 'must be the id of a device' }],
  })
}

/** What a rule of its kind says at least; of the rest the table has defaults. */
function withDefaults(rule: v.InferOutput<typeof NewRule>) {
  const { threshold, intervals, floor_seconds } = RULE_DEFAULTS
  if (rule.kind === 'anomaly') return { ...rule, threshold: rule.threshold ?? threshold }
  return {
    ...rule,
    intervals: rule.intervals ?? intervals,
    floor_seconds: rule.floor_seconds ?? floor_seconds,
  }
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
    deviceId: change.device_id,
    intervals: change.intervals,
    floorSeconds: change.floor_seconds,
  }
}

function ruleView(row: typeof alertRules.$inferSelect): v.InferOutput<typeof AlertRule> {
  return {
    id: row.id,
    kind: row.kind,
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
    device_id: row.deviceId,
    intervals: row.intervals,
    floor_seconds: row.floorSeconds,
  }
}

/** `/v1/alert-rules`. The ML service evaluates the rules. */
export const alertRulesRoute = new Hono<AppEnv>()
  .get('/', requireScope('read'), listRules)
  .post('/', requireScope('manage'), createRule)
  .get('/:id', requireScope('read'), getRule)
  .patch('/:id', requireScope('manage'), changeRule)
  .delete('/:id', requireScope('manage'), deleteRule)
