import { and, asc, eq, sql } from 'drizzle-orm'
import { type Context, Hono } from 'hono'
import * as v from 'valibot'
import { webhookEndpoints } from '../../migrations/schema.ts'
import { sealSecret } from '../../telemetry/secret-box.ts'
import { webhookSecretOf } from '../../telemetry/signature.ts'
import type { AppEnv } from '../app-env.ts'
import { database, query } from '../database.ts'
import { Problem } from '../problem.ts'
import { cursorOf, limitOf, notFound, page } from '../query/parameters.ts'
import { requestJson } from '../request-json.ts'
import { requireScope } from '../tenant-auth.ts'
import { webhookOf } from './webhook-of.ts'
import { webhookUrlFault } from './webhook-url.ts'

const SECRET_BYTES = 32
const OLD_SECRET_SIGNS_FOR_MS = 24 * 3_600_000

const Url = v.pipe(v.string(), v.maxLength(2048))
const NewWebhook = v.object({ url: Url, enabled: v.optional(v.boolean(), true) })
const WebhookChange = v.object({ url: v.optional(Url), enabled: v.optional(v.boolean()) })

/** `/v1/webhooks`. A secret is shown once, at creation or rotation. */
export const webhookRoutes = new Hono<AppEnv>()
  .get('/webhooks', requireScope('read'), listWebhooks)
  .post('/webhooks', requireScope('manage'), createWebhook)
  .get('/webhooks/:id', requireScope('read'), async (c) => c.json(webhookView(await webhookOf(c))))
  .patch('/webhooks/:id', requireScope('manage'), changeWebhook)
  .delete('/webhooks/:id', requireScope('manage'), deleteWebhook)
  .post('/webhooks/:id/rotate-secret', requireScope('manage'), rotateSecret)

const newSecret = () => webhookSecretOf(crypto.getRandomValues(new Uint8Array(SECRET_BYTES)))

/** The identity that a sealed secret is bound to. */
const sealContext = (tenantId: string, webhookId: string) => `${tenantId}/${webhookId}`

async function listWebhooks(c: Context<AppEnv>) {
  const limit = limitOf(c)
  const after = cursorOf(c, v.pipe(v.string(), v.uuid()))
  const rows = await query(
    database(c.env)
      .select()
      .from(webhookEndpoints)
      .where(
        and(
          eq(webhookEndpoints.tenantId, c.get('tenantId')),
          after === undefined ? undefined : sql`${webhookEndpoints.id} > ${after}`,
        ),
      )
      .orderBy(asc(webhookEndpoints.id))
      .limit(limit + 1),
  )
  return c.json(page(rows, limit, webhookView, (row) => row.id))
}

async function createWebhook(c: Context<AppEnv>) {
  const { url: text, enabled } = await requestJson(c, NewWebhook)
  const url = acceptedUrl(c, text)
  const [tenantId, id, secret] = [c.get('tenantId'), crypto.randomUUID(), newSecret()]
  const sealed = await sealSecret(secret, c.env.WEBHOOK_SECRET_KEY, sealContext(tenantId, id))
  const [row] = await query(
    database(c.env)
      .insert(webhookEndpoints)
      .values({ tenantId, id, url, enabled, secret: sealed })
      .returning(),
  )
  return c.json({ ...webhookView(row!), secret }, 201)
}

async function changeWebhook(c: Context<AppEnv>) {
  const { url: text, enabled } = await requestJson(c, WebhookChange)
  const url = text === undefined ? undefined : acceptedUrl(c, text)
  const found = await webhookOf(c)
  const change = { ...(url !== undefined && { url }), ...(enabled !== undefined && { enabled }) }
  if (Object.keys(change).length === 0) return c.json(webhookView(found))
  return c.json(webhookView(await update(c, found, change)))
}

async function deleteWebhook(c: Context<AppEnv>) {
  const { tenantId, id } = await webhookOf(c)
  await query(
    database(c.env)
      .delete(webhookEndpoints)
      .where(and(eq(webhookEndpoints.tenantId, tenantId), eq(webhookEndpoints.id, id))),
  )
  return c.body(null, 204)
}

async function rotateSecret(c: Context<AppEnv>) {
  const found = await webhookOf(c)
  const secret = newSecret()
  await update(c, found, {
    secret: await sealSecret(secret, c.env.WEBHOOK_SECRET_KEY, sealContext(found.tenantId, found.id)),
    previousSecret: found.secret,
    previousSecretExpires: new Date(Date.now() + OLD_SECRET_SIGNS_FOR_MS),
  })
  return c.json({ secret })
}

async function update(
  c: Context<AppEnv>,
  { tenantId, id }: { tenantId: string; id: string },
  change: Partial<typeof webhookEndpoints.$inferInsert>,
) {
  const [row] = await query(
    database(c.env)
      .update(webhookEndpoints)
      .set(change)
      .where(and(eq(webhookEndpoints.tenantId, tenantId), eq(webhookEndpoints.id, id)))
      .returning(),
  )
  if (row === undefined) throw notFound()
  return row
}

/** The URL as it was checked and will be called: in the parser's own spelling. */
function acceptedUrl(c: Context<AppEnv>, text: string): string {
  const fault = webhookUrlFault(text, c.env.WEBHOOK_ALLOW_PRIVATE === '1')
  if (fault === undefined) return new URL(text).href
  throw new Problem('validation_failed', 'The webhook cannot go to this URL; use a public https: address.', {
    errors: [{ path: 'url', message: fault }],
  })
}

const webhookView = ({ id, url, enabled }: typeof webhookEndpoints.$inferSelect) => ({ id, url, enabled })
