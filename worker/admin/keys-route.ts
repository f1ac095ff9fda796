import { type Context, Hono } from 'hono'
import * as v from 'valibot'
import { ofTenant } from '../../durable-objects/connect-database.ts'
import { MAX_LIVE_KEYS, SCOPES, type Scope } from '../../durable-objects/tenant-config.ts'
import type { ApiKey } from '../../durable-objects/tenant-control-sql.ts'
import { Name } from '../../telemetry/name.ts'
import { isInstant, parseTimestamp } from '../../telemetry/timestamp.ts'
import { makeKey, parseKey } from '../api-key.ts'
import type { AppEnv } from '../app-env.ts'
import { queryAs } from '../database.ts'
import { component, Id, Instant, pageOf, told } from '../openapi/fields.ts'
import { operation } from '../openapi/operation.ts'
import { Problem } from '../problem.ts'
import { cursorOf, InstantAndIdCursor, idOf, Limit, notFound, page } from '../query/parameters.ts'
import { withinDeadline } from '../within-deadline.ts'
import { expireKey, insertKey, markKeyRevoked } from './admin-sql.ts'
import { controlOf, tenantOf } from './tenant-of.ts'

const MAX_OVERLAP_SECONDS = 30 * 86_400

const Expiry = v.pipe(
  v.union([v.string(), v.number()]),
  v.description('Until when it is valid, ISO 8601 or epoch milliseconds; null: until it is revoked.'),
  v.transform((value) => parseTimestamp(value, 'ms')),
  v.number('must be ISO 8601 or epoch milliseconds'),
  v.check(isInstant, 'must be ISO 8601 or epoch milliseconds'),
)
const Scopes = told(v.array(v.picklist(SCOPES)), 'What the key may be used for.')
const NewKey = component(
  'NewApiKey',
  v.object({
    name: v.nullish(Name, null),
    scopes: v.optional(v.pipe(Scopes, v.minLength(1)), ['ingest', 'read']),
    expires_at: v.nullish(Expiry, null),
  }),
  'An API key to create.',
  { name: 'gateway 7', scopes: ['ingest'] },
)
const Rotation = component(
  'ApiKeyRotation',
  v.object({
    overlap_seconds: told(
      v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(MAX_OVERLAP_SECONDS)), 86_400),
      'How long the old key stays valid beside the new one.',
    ),
  }),
  'How to replace an API key.',
)
const Key = component(
  'ApiKey',
  v.object({
    id: Id,
    name: v.nullable(v.string()),
    scopes: Scopes,
    created_at: Instant,
    expires_at: told(v.nullable(Instant), 'Until when it is valid; null: until it is revoked.'),
    revoked_at: told(v.nullable(Instant), 'Since when it is refused.'),
  }),
  'An API key of a tenant; the key itself is shown at its creation alone.',
)
const CreatedKey = component(
  'CreatedApiKey',
  v.object({ ...Key.entries, key: told(v.string(), 'The key itself, `epk_…`. Shown this once.') }),
  'A new API key.',
)
const params = idOf('tenant')
const keyParams = v.object({ ...params.entries, key_id: told(Id, 'The id of the key, not the key.') })

const listKeys = operation(
  {
    operationId: 'listApiKeys',
    tag: 'Administration',
    summary: 'List the API keys of a tenant',
    description: 'In the order of their creation, revoked ones too.',
    params,
    query: v.object({ limit: Limit, cursor: cursorOf(InstantAndIdCursor) }),
    answer: pageOf('ApiKeyPage', Key),
    returns: 'A page of keys.',
  },
  async (c, { params: { id }, query: { limit, cursor } }) => {
    const { id: tenantId } = await tenantOf(c, id)
    const after = cursor && ([cursor[0].getTime(), cursor[1]] as const)
    const keys = await withinDeadline(controlOf(c, tenantId).keyPage(limit + 1, after))
    return page(keys, limit, keyView, (key) => [key.createdAt, key.id])
  },
)

/** The key is shown only once everything has stored its hash; after a failure in between nobody holds it. */
const createKey = operation(
  {
    operationId: 'createApiKey',
    tag: 'Administration',
    summary: 'Create an API key',
    description: `It works from the answer on; a tenant has at most ${MAX_LIVE_KEYS} live keys.`,
    params,
    body: NewKey,
    status: 201,
    answer: CreatedKey,
    returns: 'The key.',
  },
  async (c, { params: { id }, body: { expires_at: expiresAt, ...wanted } }) => {
    const { id: tenantId } = await tenantOf(c, id)
    const { key, record } = newKey(c, tenantId, { ...wanted, expiresAt })
    await mirror(c, tenantId, record)
    const added = await withinDeadline(controlOf(c, tenantId).addKey(record))
    if (added === 'no_tenant') throw notFound()
    if (added === 'too_many') throw tooManyKeys()
    return { ...keyView(record), key }
  },
)

const tooManyKeys = () =>
  new Problem(
    'validation_failed',
    `A tenant has at most ${MAX_LIVE_KEYS} live keys; revoke one that is not used.`,
  )

const rotateKey = operation(
  {
    operationId: 'rotateApiKey',
    tag: 'Administration',
    summary: 'Replace an API key',
    description:
      'A new key like the old one, which stays valid for the overlap, so that gateways can be changed one by one.',
    params: keyParams,
    body: Rotation,
    status: 201,
    answer: CreatedKey,
    returns: 'The new key.',
  },
  async (c, { params: { id, key_id: keyId }, body: { overlap_seconds } }) => {
    const { id: tenantId } = await tenantOf(c, id)
    const control = controlOf(c, tenantId)
    const old = await withinDeadline(control.key(keyId))
    if (old === undefined || old.revokedAt !== null) throw notFound()
    const { key, record } = newKey(c, tenantId, old)
    const oldExpiresAt = Date.now() + overlap_seconds * 1000
    await mirror(c, tenantId, record)
    if (!(await withinDeadline(control.rotateKey(keyId, record, oldExpiresAt)))) throw notFound()
    await queryAs(c.env, ofTenant(tenantId), expireKey(tenantId, keyId, new Date(oldExpiresAt)))
    return { ...keyView(record), key }
  },
)

/** Asks control alone before Postgres, so that a key can be revoked while the database is away. */
const revokeKey = operation(
  {
    operationId: 'revokeApiKey',
    tag: 'Administration',
    summary: 'Revoke an API key',
    description: 'It is refused from the next request on; repeating this is safe.',
    params: keyParams,
    returns: 'It is revoked.',
  },
  async (c, { params: { id: tenantId, key_id: keyId } }) => {
    if (!(await withinDeadline(controlOf(c, tenantId).revokeKey(keyId)))) throw notFound()
    await queryAs(c.env, ofTenant(tenantId), markKeyRevoked(tenantId, keyId, new Date()))
  },
)

function newKey(
  c: Context<AppEnv>,
  tenantId: string,
  like: { name: string | null; scopes: Scope[]; expiresAt: number | null },
): { key: string; record: ApiKey } {
  const macSecret = c.env.API_KEY_MAC_SECRET
  const key = makeKey(tenantId, crypto.getRandomValues(new Uint8Array(16)), macSecret)
  const record = {
    id: crypto.randomUUID(),
    name: like.name,
    hash: parseKey(key, [macSecret])!.hash,
    scopes: [...new Set(like.scopes)],
    createdAt: Date.now(),
    expiresAt: like.expiresAt,
    revokedAt: null,
  }
  return { key, record }
}

async function mirror(c: Context<AppEnv>, tenantId: string, record: ApiKey): Promise<void> {
  const { id, name, scopes, hash: keyHash } = record
  const times = { createdAt: new Date(record.createdAt), expiresAt: dateOf(record.expiresAt) }
  await queryAs(c.env, ofTenant(tenantId), insertKey({ tenantId, id, name, keyHash, scopes, ...times }))
}

const dateOf = (ms: number | null) => (ms === null ? null : new Date(ms))

function keyView({ id, name, scopes, createdAt, expiresAt, revokedAt }: ApiKey): v.InferOutput<typeof Key> {
  return {
    id,
    name,
    scopes,
    created_at: new Date(createdAt),
    expires_at: dateOf(expiresAt),
    revoked_at: dateOf(revokedAt),
  }
}

/** `/admin/tenants/{id}/keys`. A key is shown once, in the answer that creates it. */
export const keysRoute = new Hono<AppEnv>()
  .get('/', listKeys)
  .post('/', createKey)
  .post('/:key_id/rotate', rotateKey)
  .delete('/:key_id', revokeKey)
