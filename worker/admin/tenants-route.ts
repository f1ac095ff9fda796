import { Hono } from 'hono'
import * as v from 'valibot'
import { OPERATOR, ofTenant } from '../../durable-objects/connect-database.ts'
import { Deletion } from '../../durable-objects/delete-tenant.ts'
import { RateLimit } from '../../durable-objects/rate-limit.ts'
import type { Plan } from '../../durable-objects/tenant-config.ts'
import { Name } from '../../telemetry/name.ts'
import type { AppEnv } from '../app-env.ts'
import { queryAs } from '../database.ts'
import { component, Id, Instant, pageOf, told } from '../openapi/fields.ts'
import { operation } from '../openapi/operation.ts'
import { Problem } from '../problem.ts'
import { cursorOf, idOf, Limit, notFound, page, TextCursor } from '../query/parameters.ts'
import { withinDeadline } from '../within-deadline.ts'
import {
  countSilenceFrom,
  ensurePartitions,
  insertTenant,
  listTenants,
  type TenantRow,
  updateTenant,
} from './admin-sql.ts'
import { controlOf, tenantOf } from './tenant-of.ts'

const ALLOWED_LATENESS_MS = 60_000
const SEAL_DEADLINE_MS = 60_000

const whole = (least: number, most: number, description: string) =>
  told(v.pipe(v.number(), v.integer(), v.minValue(least), v.maxValue(most)), description)
const PlanFields = v.object({
  retention_days: whole(1, 400, 'For how many days datapoints are kept.'),
  series_limit: whole(1, 1_000_000, 'How many series may send data.'),
  shards: whole(1, 256, 'Over how many objects its ingest is spread; it can grow and not shrink.'),
  rate_limit: told(v.nullable(RateLimit), 'null: no limit.'),
})
const { entries } = PlanFields

const Tenant = component(
  'Tenant',
  v.object({
    id: Id,
    name: v.string(),
    state: told(
      v.picklist(['active', 'suspended', 'deleting']),
      'A suspended tenant is refused ingest and reads; one that is being deleted does not come back.',
    ),
    ...entries,
    created_at: Instant,
    deletion: told(v.optional(v.nullable(Deletion)), 'How far the deletion is; only while `deleting`.'),
  }),
  'A tenant and its plan.',
  {
    id: '6f1d2c3b-4a59-4e68-8b77-5c6d7e8f9a0b',
    name: 'acme',
    state: 'active',
    retention_days: 30,
    series_limit: 100000,
    shards: 1,
    rate_limit: null,
    created_at: '2026-01-01T00:00:00.000Z',
  },
)
const NewTenant = component(
  'NewTenant',
  v.object({
    name: told(Name, 'Not the name of another tenant.'),
    retention_days: v.optional(entries.retention_days, 30),
    series_limit: v.optional(entries.series_limit, 100_000),
    shards: v.optional(entries.shards, 1),
    rate_limit: v.optional(entries.rate_limit, null),
  }),
  'A tenant to create.',
  { name: 'acme', retention_days: 30 },
)
const TenantChange = component(
  'TenantChange',
  v.object({ ...v.partial(PlanFields).entries, state: v.optional(v.picklist(['active', 'suspended'])) }),
  'What to change of a tenant.',
  { shards: 4 },
)
const Seal = component(
  'Seal',
  v.object({ id: Id, sealed_at: Instant }),
  'Until when the archive is complete.',
)

const params = idOf('tenant')

const listAll = operation(
  {
    operationId: 'listTenants',
    tag: 'Administration',
    summary: 'List tenants',
    description: 'By name.',
    query: v.object({ limit: Limit, cursor: cursorOf(TextCursor) }),
    answer: pageOf('TenantPage', Tenant),
    returns: 'A page of tenants.',
  },
  async (c, { query: { limit, cursor: after } }) => {
    const rows = await queryAs(c.env, OPERATOR, listTenants(limit + 1, after))
    return page(rows, limit, tenantView, (row) => row.name)
  },
)

/** The row comes last: a tenant that can be seen has its control object, and one left without a row has no keys. */
const createTenant = operation(
  {
    operationId: 'createTenant',
    tag: 'Administration',
    summary: 'Create a tenant',
    body: NewTenant,
    status: 201,
    answer: Tenant,
    returns: 'The tenant.',
    problems: ['name_taken'],
  },
  async (c, { body: wanted }) => {
    const id = crypto.randomUUID()
    const plan = { ...planOf(wanted), allowedLatenessMs: ALLOWED_LATENESS_MS }
    const { allowedLatenessMs: _, ...columns } = plan
    await withinDeadline(controlOf(c, id).create(plan))
    await queryAs(c.env, OPERATOR, ensurePartitions(plan.retentionDays))
    const [row] = await queryAs(c.env, ofTenant(id), insertTenant({ id, name: wanted.name, ...columns }))
    if (row === undefined)
      throw new Problem('name_taken', 'A tenant has this name already; choose another one.')
    return tenantView(row)
  },
)

function planOf({ retention_days, series_limit, shards, rate_limit }: v.InferOutput<typeof NewTenant>) {
  return { retentionDays: retention_days, seriesLimit: series_limit, shards, rateLimit: rate_limit }
}

const showTenant = operation(
  {
    operationId: 'getTenant',
    tag: 'Administration',
    summary: 'Read a tenant',
    description: 'While a tenant is being deleted the answer says how far that is.',
    params,
    answer: Tenant,
    returns: 'The tenant.',
  },
  async (c, given) => {
    const row = await tenantOf(c, given.params.id)
    if (row.state !== 'deleting') return tenantView(row)
    const control = await withinDeadline(controlOf(c, row.id).describe())
    return { ...tenantView(row), deletion: control?.deletion ?? null }
  },
)

const changeTenant = operation(
  {
    operationId: 'updateTenant',
    tag: 'Administration',
    summary: 'Change a tenant',
    description: 'Fields that are left out stay as they are; more `shards` take over while traffic runs.',
    params,
    body: TenantChange,
    answer: Tenant,
    returns: 'The tenant as it is now.',
  },
  async (c, { params: { id }, body: change }) => {
    const found = await tenantOf(c, id)
    if (found.state === 'deleting') throw notFound()
    if (change.shards !== undefined && change.shards < found.shards) throw fewerShards(found.shards)
    const plan: Partial<Plan> = {
      ...(change.retention_days !== undefined && { retentionDays: change.retention_days }),
      ...(change.series_limit !== undefined && { seriesLimit: change.series_limit }),
      ...(change.shards !== undefined && { shards: change.shards }),
      ...(change.rate_limit !== undefined && { rateLimit: change.rate_limit }),
    }
    if (plan.retentionDays !== undefined) await queryAs(c.env, OPERATOR, ensurePartitions(plan.retentionDays))
    // Postgres keeps at least what the door lets in: a retention run in between would delete what was just accepted.
    if (plan.retentionDays !== undefined && plan.retentionDays > found.retentionDays)
      await queryAs(c.env, ofTenant(id), updateTenant(id, { retentionDays: plan.retentionDays }))
    await withinDeadline(controlOf(c, id).update({ plan, ...(change.state && { state: change.state }) }))
    // Before its devices are judged again: nobody could hear them.
    if (change.state === 'active' && found.state === 'suspended')
      await queryAs(c.env, ofTenant(id), countSilenceFrom(id, new Date(Date.now())))
    const { allowedLatenessMs: _, ...columns } = plan
    if (Object.keys(columns).length === 0 && change.state === undefined)
      return tenantView(await tenantOf(c, id))
    const [row] = await queryAs(
      c.env,
      ofTenant(id),
      updateTenant(id, { ...columns, ...(change.state && { state: change.state }) }),
    )
    if (row === undefined) throw notFound()
    return tenantView(row)
  },
)

const fewerShards = (shards: number) =>
  new Problem('validation_failed', 'Shards can be added and not removed; ask for more than there are.', {
    errors: [{ path: 'shards', message: `must be at least ${shards}` }],
  })

const deleteTenant = operation(
  {
    operationId: 'deleteTenant',
    tag: 'Administration',
    summary: 'Delete a tenant',
    description:
      'Its keys are refused from the answer on; rows, archive and objects are removed in the background, and reading the tenant tells how far that is.',
    params,
    status: 202,
    answer: Tenant,
    returns: 'The tenant, `deleting`.',
  },
  async (c, given) => {
    const found = await tenantOf(c, given.params.id)
    await withinDeadline(controlOf(c, found.id).startDeletion())
    const [row] = await queryAs(c.env, ofTenant(found.id), updateTenant(found.id, { state: 'deleting' }))
    return tenantView(row ?? { ...found, state: 'deleting' })
  },
)

const sealTenant = operation(
  {
    operationId: 'sealTenant',
    tag: 'Administration',
    summary: 'Complete the archive of a tenant',
    description:
      'Writes the tail of what was accepted into the manifests, so that a rebuild from the archive is complete; takes up to 60 s.',
    params,
    answer: Seal,
    returns: 'When it was complete.',
  },
  async (c, given) => {
    const { id } = await tenantOf(c, given.params.id)
    await withinDeadline(controlOf(c, id).seal(), SEAL_DEADLINE_MS)
    return { id, sealed_at: new Date() }
  },
)

function tenantView(row: TenantRow): v.InferOutput<typeof Tenant> {
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

/** `/admin/tenants`. */
export const tenantsRoute = new Hono<AppEnv>()
  .get('/', listAll)
  .post('/', createTenant)
  .get('/:id', showTenant)
  .patch('/:id', changeTenant)
  .delete('/:id', deleteTenant)
  .post('/:id/seal', sealTenant)
