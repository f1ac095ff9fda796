import { and, eq, sql } from 'drizzle-orm'
import { type Context, Hono } from 'hono'
import * as v from 'valibot'
import { webhookDeliveries } from '../../migrations/schema.ts'
import type { AppEnv } from '../app-env.ts'
import { database, query } from '../database.ts'
import { cursorOf, InstantCursor, limitOf, notFound, page, pathId } from '../query/parameters.ts'
import { requireScope } from '../tenant-auth.ts'
import { webhookOf } from './webhook-of.ts'

/** What goes to webhooks. The ML service sends it. */
export const deliveryRoutes = new Hono<AppEnv>()
  .post('/webhooks/:id/test', requireScope('manage'), sendTest)
  .get('/webhooks/:id/deliveries', requireScope('read'), listDeliveries)
  .post('/deliveries/:id/retry', requireScope('manage'), retryDelivery)

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
