import { and, asc, eq, sql } from 'drizzle-orm'
import { type Context, Hono } from 'hono'
import * as v from 'valibot'
import { webhookDeliveries, webhookEndpoints } from '../../migrations/schema.ts'
import { sealSecret } from '../../telemetry/secret-box.ts'
import { webhookSecretOf } from '../../telemetry/signature.ts'
import type { AppEnv } from '../app.ts'
import { database, query } from '../database.ts'
import { Problem } from '../problem.ts'
import { cursorOf, InstantCursor, limitOf, notFound, page, pathId } from '../query/parameters.ts'
import { requestJson } from '../request-json.ts'
import { requireScope } from '../tenant-auth.ts'
import { webhookUrlFault } from './webhook-url.ts'

const SECRET_BYTES = 32
const OLD_SECRET_SIGNS_FOR_MS = 24 * 3_600_000

const Url = v.pipe(v.string(), v.maxLength(2048))
const NewWebhook = v.object({ url: Url, enabled: v.optional(v.boolean(), true) })
const WebhookChange = v.object({ url: v.optional(Url), enabled: v.optional(v.boolean()) })

/** `/v1/webhooks` and their deliveries. The ML service sends them; a secret is shown once, at creation or rotation. */
export const webhookRoutes = new Hono<AppEnv>()
  .get('/webhooks', requireScope('read'), listWebhooks)
  .post('/webhooks', requireScope('manage'), createWebhook)
  .get('/webhooks/:id', requireScope('read'), async (c) => c.json(webhookView(await webhookOf(c))))
  .patch('/webhooks/:id', requireScope('manage'), changeWebhook)
  .delete('/webhooks/:id', requireScope('manage'), deleteWebhook)
  .post('/webhooks/:id/rotate-secret', requireScope('manage'), rotateSecret)
  .post('/webhooks/:id/test', requireScope('manage'), sendTest)
  .get('/webhooks/:id/deliveries', requireScope('read'), listDeliveries)
  .post('/deliveries/:id/retry', requireScope('manage'), retryDelivery)

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

async function sendTest(c: Context<AppEnv>) {
  const { tenantId, id } = await webhookOf(c)
  const now = new Date()
  const deliveryId = crypto.randomUUID()
  const [row] = await query(
    database(c.env)
      .insert(webhookDeliveries)
      .values({
        tenantId,
        id: deliveryId,
        webhookId: id,
        eventKey: `test:${deliveryId}`,
        type: 'webhook.test',
        body: JSON.stringify({
          type: 'webhook.test',
          timestamp: now.toISOString(),
          data: { webhook_id: id },
        }),
        nextAttemptAt: now,
      })
      .returning(),
  )
  return c.json(deliveryView(row!), 202)
}

async function listDeliveries(c: Context<AppEnv>) {
  const limit = limitOf(c)
  const after = cursorOf(c, v.tuple([InstantCursor, v.pipe(v.string(), v.uuid())]))
  const { tenantId, id } = await webhookOf(c)
  // Ordered by the millisecond that the cursor carries: finer digits would show a row twice.
  const createdAt = sql`date_trunc('milliseconds', ${webhookDeliveries.createdAt})`
  const rows = await query(
    database(c.env)
      .select()
      .from(webhookDeliveries)
      .where(
        and(
          eq(webhookDeliveries.tenantId, tenantId),
          eq(webhookDeliveries.webhookId, id),
          after && sql`(${createdAt}, ${webhookDeliveries.id}) < (${after[0]}, ${after[1]})`,
        ),
      )
      .orderBy(sql`${createdAt} desc`, sql`${webhookDeliveries.id} desc`)
      .limit(limit + 1),
  )
  return c.json(page(rows, limit, deliveryView, (row) => [row.createdAt.getTime(), row.id]))
}

async function retryDelivery(c: Context<AppEnv>) {
  const [row] = await query(
    database(c.env)
      .update(webhookDeliveries)
      .set({ state: 'pending', nextAttemptAt: new Date() })
      .where(and(eq(webhookDeliveries.tenantId, c.get('tenantId')), eq(webhookDeliveries.id, pathId(c))))
      .returning(),
  )
  if (row === undefined) throw notFound()
  return c.json(deliveryView(row), 202)
}

async function webhookOf(c: Context<AppEnv>) {
  const [row] = await query(
    database(c.env)
      .select()
      .from(webhookEndpoints)
      .where(and(eq(webhookEndpoints.tenantId, c.get('tenantId')), eq(webhookEndpoints.id, pathId(c)))),
  )
  if (row === undefined) throw notFound()
  return row
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

function deliveryView(row: typeof webhookDeliveries.$inferSelect) {
  return {
    id: row.id,
    webhook_id: row.webhookId,
    type: row.type,
    state: row.state,
    next_attempt_at: row.nextAttemptAt,
    attempts: row.attempts,
  }
}
