import { type Context, Hono } from 'hono'
import * as v from 'valibot'
import { SCOPES, type Scope } from '../../durable-objects/tenant-config.ts'
import { MAX_LIVE_KEYS } from '../../durable-objects/tenant-control.ts'
import type { ApiKey } from '../../durable-objects/tenant-control-sql.ts'
import { isInstant, parseTimestamp } from '../../telemetry/timestamp.ts'
import { makeKey, parseKey } from '../api-key.ts'
import type { AppEnv } from '../app-env.ts'
import { database, query } from '../database.ts'
import { Problem } from '../problem.ts'
import { notFound, pathId, uuidOf } from '../query/parameters.ts'
import { requestJson } from '../request-json.ts'
import { withinDeadline } from '../within-deadline.ts'
import { expireKey, insertKey, markKeyRevoked } from './admin-sql.ts'
import { controlOf, Name, tenantOf } from './tenant-of.ts'

const MAX_OVERLAP_SECONDS = 30 * 86_400

const Instant = v.pipe(
  v.union([v.string(), v.number()]),
  v.transform((value) => parseTimestamp(value, 'ms')),
  v.number('must be ISO 8601 or epoch milliseconds'),
  v.check(isInstant, 'must be ISO 8601 or epoch milliseconds'),
)
const NewKey = v.object({
  name: v.nullish(Name, null),
  scopes: v.optional(v.pipe(v.array(v.picklist(SCOPES)), v.minLength(1)), ['ingest', 'read']),
  expires_at: v.nullish(Instant, null),
})
const Rotation = v.object({
  /** How long the old key stays valid beside the new one. */
  overlap_seconds: v.optional(
    v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(MAX_OVERLAP_SECONDS)),
    86_400,
  ),
})

/** `/admin/tenants/{id}/keys`. A key is shown once, in the answer that creates it. */
export const keysRoute = new Hono<AppEnv>()
  .get('/', listKeys)
  .post('/', createKey)
  .post('/:key_id/rotate', rotateKey)
  .delete('/:key_id', revokeKey)

async function listKeys(c: Context<AppEnv>) {
  const { id } = await tenantOf(c)
  const keys = await withinDeadline(controlOf(c, id).keys())
  return c.json({ data: keys.map(keyView), next_cursor: null })
}

/** The key is shown only once everything has stored its hash; after a failure in between nobody holds it. */
async function createKey(c: Context<AppEnv>) {
  const { expires_at: expiresAt, ...wanted } = await requestJson(c, NewKey)
  const { id: tenantId } = await tenantOf(c)
  const { key, record } = newKey(c, tenantId, { ...wanted, expiresAt })
  await mirror(c, tenantId, record)
  const added = await withinDeadline(controlOf(c, tenantId).addKey(record))
  if (added === 'no_tenant') throw notFound()
  if (added === 'too_many') throw tooManyKeys()
  return c.json({ ...keyView(record), key }, 201)
}

const tooManyKeys = () =>
  new Problem(
    'validation_failed',
    `A tenant has at most ${MAX_LIVE_KEYS} live keys; revoke one that is not used.`,
  )

/** A new key like the old one, which stays valid for the overlap, so that gateways can be changed one by one. */
async function rotateKey(c: Context<AppEnv>) {
  const { overlap_seconds } = await requestJson(c, Rotation)
  const { id: tenantId } = await tenantOf(c)
  const control = controlOf(c, tenantId)
  const keyId = keyIdOf(c)
  const old = (await withinDeadline(control.keys())).find(({ id }) => id === keyId)
  if (old === undefined || old.revokedAt !== null) throw notFound()
  const { key, record } = newKey(c, tenantId, old)
  const oldExpiresAt = Date.now() + overlap_seconds * 1000
  await mirror(c, tenantId, record)
  if (!(await withinDeadline(control.rotateKey(keyId, record, oldExpiresAt)))) throw notFound()
  await query(expireKey(database(c.env), tenantId, keyId, new Date(oldExpiresAt)))
  return c.json({ ...keyView(record), key }, 201)
}

/** Asks control alone before Postgres, so that a key can be revoked while the database is away. */
async function revokeKey(c: Context<AppEnv>) {
  const tenantId = pathId(c)
  const keyId = keyIdOf(c)
  if (!(await withinDeadline(controlOf(c, tenantId).revokeKey(keyId)))) throw notFound()
  await query(markKeyRevoked(database(c.env), tenantId, keyId, new Date()))
  return c.body(null, 204)
}

function keyIdOf(c: Context<AppEnv>): string {
  const keyId = uuidOf(c.req.param('key_id'))
  if (keyId === undefined) throw notFound()
  return keyId
}

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
  await query(insertKey(database(c.env), { tenantId, id, name, keyHash, scopes, ...times }))
}

const dateOf = (ms: number | null) => (ms === null ? null : new Date(ms))

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
