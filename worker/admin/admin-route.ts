import { type Context, Hono } from 'hono'
import * as v from 'valibot'
import { type Plan, RateLimit, SCOPES } from '../../durable-objects/tenant-config.ts'
import type { ApiKey } from '../../durable-objects/tenant-control-sql.ts'
import { isName } from '../../telemetry/json-batch.ts'
import { parseTimestamp } from '../../telemetry/timestamp.ts'
import { makeKey, parseKey } from '../api-key.ts'
import type { AppEnv } from '../app.ts'
import { database, query } from '../database.ts'
import { Problem } from '../problem.ts'
import { cursorOf, limitOf, notFound, page, pathId, TextCursor, uuidOf } from '../query/parameters.ts'
import { requestJson } from '../request-json.ts'
import { withinDeadline } from '../within-deadline.ts'
import {
  ensurePartitions,
  findTenant,
  insertKey,
  insertTenant,
  listTenants,
  markKeyRevoked,
  type TenantRow,
  updateTenant,
} from './admin-sql.ts'
import { requireAdmin } from './require-admin.ts'

const ALLOWED_LATENESS_MS = 60_000

const Name = v.custom<string>(isName, 'must be 1 to 128 characters of text without control characters')
const PlanFields = v.object({
  retention_days: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(400)),
  series_limit: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(10_000_000)),
  rate_limit: v.nullable(RateLimit),
})
const Shards = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(256))
const NewTenant = v.object({
  name: Name,
  retention_days: v.optional(PlanFields.entries.retention_days, 30),
  series_limit: v.optional(PlanFields.entries.series_limit, 100_000),
  shards: v.optional(Shards, 1),
  rate_limit: v.optional(PlanFields.entries.rate_limit, null),
})
const TenantChange = v.object({
  ...v.partial(PlanFields).entries,
  state: v.optional(v.picklist(['active', 'suspended'])),
})
const Instant = v.pipe(
  v.union([v.string(), v.number()]),
  v.transform((value) => parseTimestamp(value, 'ms')),
  v.number('must be ISO 8601 or epoch milliseconds'),
)
const NewKey = v.object({
  name: v.optional(Name),
  scopes: v.optional(v.pipe(v.array(v.picklist(SCOPES)), v.minLength(1)), ['ingest', 'read']),
  expires_at: v.nullish(Instant, null),
})

/** `/admin`: tenants and their keys. TenantControl decides; Postgres holds the names and a mirror for audits. */
export const adminRoute = new Hono<AppEnv>()
  .use(requireAdmin)
  .get('/tenants', async (c) => {
    const limit = limitOf(c)
    const rows = await query(listTenants(database(c.env), limit + 1, cursorOf(c, TextCursor)))
    return c.json(page(rows, limit, tenantView, (row) => row.name))
  })
  .post('/tenants', createTenant)
  .get('/tenants/:id', async (c) => c.json(tenantView(await tenantOf(c))))
  .patch('/tenants/:id', changeTenant)
  .get('/tenants/:id/keys', listKeys)
  .post('/tenants/:id/keys', createKey)
  .delete('/tenants/:id/keys/:key_id', revokeKey)

const controlOf = (c: Context<AppEnv>, tenantId: string) => c.env.TENANT_CONTROL.getByName(tenantId)

/** The row comes last: a tenant that can be seen has its control object, and one left without a row has no keys. */
async function createTenant(c: Context<AppEnv>) {
  const wanted = await requestJson(c, NewTenant)
  const db = database(c.env)
  const id = crypto.randomUUID()
  const {
    name,
    retention_days: retentionDays,
    series_limit: seriesLimit,
    shards,
    rate_limit: rateLimit,
  } = wanted
  const plan: Plan = { retentionDays, seriesLimit, shards, rateLimit, allowedLatenessMs: ALLOWED_LATENESS_MS }
  await withinDeadline(controlOf(c, id).create(plan))
  await query(ensurePartitions(db, retentionDays))
  const row = await query(insertTenant(db, { id, name, retentionDays, seriesLimit, shards, rateLimit }))
  if (row === undefined) throw nameTaken()
  return c.json(tenantView(row), 201)
}

const nameTaken = () => new Problem('name_taken', 'A tenant has this name already; choose another one.')

async function changeTenant(c: Context<AppEnv>) {
  const change = await requestJson(c, TenantChange)
  const { id } = await tenantOf(c)
  const { retention_days: retentionDays, series_limit: seriesLimit, rate_limit: rateLimit, state } = change
  const plan = {
    ...(retentionDays !== undefined && { retentionDays }),
    ...(seriesLimit !== undefined && { seriesLimit }),
    ...(rateLimit !== undefined && { rateLimit }),
  }
  const db = database(c.env)
  if (retentionDays !== undefined) await query(ensurePartitions(db, retentionDays))
  await withinDeadline(controlOf(c, id).update({ plan, ...(state && { state }) }))
  const columns = { ...plan, ...(state && { state }) }
  if (Object.keys(columns).length === 0) return c.json(tenantView(await tenantOf(c)))
  const row = await query(updateTenant(db, id, columns))
  if (row === undefined) throw notFound()
  return c.json(tenantView(row))
}

async function listKeys(c: Context<AppEnv>) {
  const { id } = await tenantOf(c)
  const keys = await withinDeadline(controlOf(c, id).keys())
  return c.json({ data: keys.map(keyView), next_cursor: null })
}

/** The key is shown only once everything has stored its hash; after a failure in between nobody holds it. */
async function createKey(c: Context<AppEnv>) {
  const wanted = await requestJson(c, NewKey)
  const { id: tenantId } = await tenantOf(c)
  const macSecret = c.env.API_KEY_MAC_SECRET
  const key = makeKey(tenantId, crypto.getRandomValues(new Uint8Array(16)), macSecret)
  const record: ApiKey = {
    id: crypto.randomUUID(),
    name: wanted.name ?? null,
    hash: parseKey(key, [macSecret])!.hash,
    scopes: [...new Set(wanted.scopes)],
    createdAt: Date.now(),
    expiresAt: wanted.expires_at,
    revokedAt: null,
  }
  const { id, name, scopes } = record
  const mirror = { tenantId, id, name, keyHash: record.hash, scopes, createdAt: new Date(record.createdAt) }
  await query(insertKey(database(c.env), { ...mirror, expiresAt: dateOf(record.expiresAt) }))
  if (!(await withinDeadline(controlOf(c, tenantId).addKey(record)))) throw notFound()
  return c.json({ ...keyView(record), key }, 201)
}

async function revokeKey(c: Context<AppEnv>) {
  const { id: tenantId } = await tenantOf(c)
  const keyId = uuidOf(c.req.param('key_id'))
  if (keyId === undefined || !(await withinDeadline(controlOf(c, tenantId).revokeKey(keyId))))
    throw notFound()
  await query(markKeyRevoked(database(c.env), tenantId, keyId, new Date()))
  return c.body(null, 204)
}

async function tenantOf(c: Context<AppEnv>): Promise<TenantRow> {
  const row = await query(findTenant(database(c.env), pathId(c)))
  if (row === undefined) throw notFound()
  return row
}

const dateOf = (ms: number | null) => (ms === null ? null : new Date(ms))

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

function keyView({ id, name, scopes, createdAt, expiresAt, revokedAt }: ApiKey) {
  return {
    id,
    name,
    scopes,
    created_at: dateOf(createdAt),
    expires_at: dateOf(expiresAt),
    revoked_at: dateOf(revokedAt),
  }
}
