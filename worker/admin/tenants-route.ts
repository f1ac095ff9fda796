import { type Context, Hono } from 'hono'
import * as v from 'valibot'
import type { Deletion } from '../../durable-objects/delete-tenant.ts'
import { RateLimit } from '../../durable-objects/rate-limit.ts'
import type { Plan } from '../../durable-objects/tenant-config.ts'
import type { AppEnv } from '../app-env.ts'
import { database, query } from '../database.ts'
import { Problem } from '../problem.ts'
import { cursorOf, limitOf, notFound, page, TextCursor } from '../query/parameters.ts'
import { requestJson } from '../request-json.ts'
import { withinDeadline } from '../within-deadline.ts'
import { ensurePartitions, insertTenant, listTenants, type TenantRow, updateTenant } from './admin-sql.ts'
import { controlOf, Name, tenantOf } from './tenant-of.ts'

const ALLOWED_LATENESS_MS = 60_000
const SEAL_DEADLINE_MS = 60_000

const whole = (least: number, most: number) =>
  v.pipe(v.number(), v.integer(), v.minValue(least), v.maxValue(most))
const PlanFields = v.object({
  retention_days: whole(1, 400),
  series_limit: whole(1, 1_000_000),
  shards: whole(1, 256),
  rate_limit: v.nullable(RateLimit),
})
const NewTenant = v.object({
  name: Name,
  retention_days: v.optional(PlanFields.entries.retention_days, 30),
  series_limit: v.optional(PlanFields.entries.series_limit, 100_000),
  shards: v.optional(PlanFields.entries.shards, 1),
  rate_limit: v.optional(PlanFields.entries.rate_limit, null),
})
const TenantChange = v.object({
  ...v.partial(PlanFields).entries,
  state: v.optional(v.picklist(['active', 'suspended'])),
})

export const tenantsRoute = new Hono<AppEnv>()
  .get('/', async (c) => {
    const limit = limitOf(c)
    const rows = await query(listTenants(database(c.env), limit + 1, cursorOf(c, TextCursor)))
    return c.json(page(rows, limit, tenantView, (row) => row.name))
  })
  .post('/', createTenant)
  .get('/:id', showTenant)
  .patch('/:id', changeTenant)
  .delete('/:id', deleteTenant)
  .post('/:id/seal', sealTenant)

/** The row comes last: a tenant that can be seen has its control object, and one left without a row has no keys. */
async function createTenant(c: Context<AppEnv>) {
  const wanted = await requestJson(c, NewTenant)
  const db = database(c.env)
  const id = crypto.randomUUID()
  const plan = { ...planOf(wanted), allowedLatenessMs: ALLOWED_LATENESS_MS }
  const { allowedLatenessMs: _, ...columns } = plan
  await withinDeadline(controlOf(c, id).create(plan))
  await query(ensurePartitions(db, plan.retentionDays))
  const row = await query(insertTenant(db, { id, name: wanted.name, ...columns }))
  if (row === undefined)
    throw new Problem('name_taken', 'A tenant has this name already; choose another one.')
  return c.json(tenantView(row), 201)
}

function planOf({ retention_days, series_limit, shards, rate_limit }: v.InferOutput<typeof NewTenant>) {
  return { retentionDays: retention_days, seriesLimit: series_limit, shards, rateLimit: rate_limit }
}

/** While a tenant is being deleted its answer says how far that is. */
async function showTenant(c: Context<AppEnv>) {
  const row = await tenantOf(c)
  if (row.state !== 'deleting') return c.json(tenantView(row))
  const control = await withinDeadline(controlOf(c, row.id).describe())
  const deletion: Deletion | null = control?.deletion ?? null
  return c.json({ ...tenantView(row), deletion })
}

async function changeTenant(c: Context<AppEnv>) {
  const change = await requestJson(c, TenantChange)
  const { id, shards, state } = await tenantOf(c)
  if (state === 'deleting') throw notFound()
  if (change.shards !== undefined && change.shards < shards) {
    throw new Problem(
      'validation_failed',
      'Shards can be added and not removed; ask for more than there are.',
      {
        errors: [{ path: 'shards', message: `must be at least ${shards}` }],
      },
    )
  }
  const plan: Partial<Plan> = {
    ...(change.retention_days !== undefined && { retentionDays: change.retention_days }),
    ...(change.series_limit !== undefined && { seriesLimit: change.series_limit }),
    ...(change.shards !== undefined && { shards: change.shards }),
    ...(change.rate_limit !== undefined && { rateLimit: change.rate_limit }),
  }
  const db = database(c.env)
  if (plan.retentionDays !== undefined) await query(ensurePartitions(db, plan.retentionDays))
  await withinDeadline(controlOf(c, id).update({ plan, ...(change.state && { state: change.state }) }))
  const { allowedLatenessMs: _, ...columns } = plan
  if (Object.keys(columns).length === 0 && change.state === undefined)
    return c.json(tenantView(await tenantOf(c)))
  const row = await query(updateTenant(db, id, { ...columns, ...(change.state && { state: change.state }) }))
  if (row === undefined) throw notFound()
  return c.json(tenantView(row))
}

/** 202: from here on its keys are refused; objects, archive and rows go in the background. */
async function deleteTenant(c: Context<AppEnv>) {
  const { id } = await tenantOf(c)
  await withinDeadline(controlOf(c, id).startDeletion())
  const row = await query(updateTenant(database(c.env), id, { state: 'deleting' }))
  return c.json(row === undefined ? { id, state: 'deleting' } : tenantView(row), 202)
}

/** Writes the tail of what was accepted into the archive's manifests, so that a rebuild from it is complete. */
async function sealTenant(c: Context<AppEnv>) {
  const { id } = await tenantOf(c)
  await withinDeadline(controlOf(c, id).seal(), SEAL_DEADLINE_MS)
  return c.json({ id, sealed_at: new Date() })
}

function tenantView(row: TenantRow) {
  return {
    id: row.id,
    name: row.name,
    state: row.state,
    retention_days: row.retentionDays,
    series_limit: row.seriesLimit,
    shards: row.shards,
    rate_limit: row.rateLimit,
    created_at: row.createdAt,
  }
}
