import { and, desc, eq, getTableColumns, gte, sql } from 'drizzle-orm'
import type { PgColumn } from 'drizzle-orm/pg-core'
import { Hono } from 'hono'
import * as v from 'valibot'
import { webhookDeliveries } from '../../migrations/alerting-schema.ts'
import { isInstant, parseTimestamp } from '../../telemetry/timestamp.ts'
import type { AppEnv } from '../app-env.ts'
import { db, query } from '../database.ts'
import { component, Id, Instant, pageOf, told } from '../openapi/fields.ts'
import { operation } from '../openapi/operation.ts'
import { cursorOf, emptyPage, idOf, Limit, notFound, page } from '../query/parameters.ts'
import { requireScope } from '../tenant-auth.ts'
import { webhookOf } from './webhook-of.ts'

const State = v.picklist(['pending', 'delivered', 'failed'])

/** null: a state that no delivery has. */
const stateFilter = v.pipe(
  v.string(),
  v.metadata({ enum: State.options, description: 'Only deliveries in this state.' }),
  v.transform((text) => (v.is(State, text) ? text : null)),
)

const Attempt = component(
  'DeliveryAttempt',
  v.object({
    at: told(v.string(), 'When it began, ISO 8601.'),
    status: told(v.nullable(v.pipe(v.number(), v.integer())), 'The HTTP status; null: there was no answer.'),
    duration_ms: v.number(),
    error: told(v.nullable(v.string()), 'Why it failed.'),
    response: told(
      v.optional(v.nullable(v.string())),
      'The first 500 characters of what was answered; null: there was no answer.',
    ),
  }),
  'One try to deliver.',
)
const Delivery = component(
  'Delivery',
  v.object({
    id: told(Id, 'The `webhook-id` of every attempt.'),
    webhook_id: Id,
    type: told(
      v.string(),
      'What it tells: `alert.opened`, `alert.resolved`, `device.silent`, `device.recovered`, `webhook.disabled` or `webhook.test`.',
    ),
    state: State,
    next_attempt_at: told(v.nullable(Instant), 'When it is tried next; null: it is not.'),
    attempts: told(v.array(Attempt), 'Oldest first; the last 50.'),
  }),
  'A message to a webhook.',
  {
    id: 'e1f20314-2536-4758-9a6b-8c9daebfc0d1',
    webhook_id: 'd0c1b2a3-9485-4766-8857-a9b8c7d6e5f4',
    type: 'alert.opened',
    state: 'delivered',
    next_attempt_at: null,
    attempts: [
      {
        at: '2026-01-08T12:06:31.500Z',
        status: 500,
        duration_ms: 91,
        error: 'answered 500',
        response: 'busy',
      },
      { at: '2026-01-08T12:06:36.912Z', status: 204, duration_ms: 83, error: null, response: '' },
    ],
  },
)

const sendTest = operation(
  {
    operationId: 'testWebhook',
    tag: 'Webhooks',
    summary: 'Send a test message',
    description:
      'A `webhook.test` message goes to the webhook like any other; while it is disabled, messages wait.',
    params: idOf('webhook'),
    status: 202,
    answer: Delivery,
    returns: 'The delivery, on its way.',
  },
  async (c, given) => {
    const { tenantId, id } = await webhookOf(c, given.params.id)
    const now = new Date()
    const deliveryId = crypto.randomUUID()
    const [row] = await query(
      c,
      db
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
    return deliveryView(row!)
  },
)

/**
 * Microseconds since the epoch, as Postgres keeps them: of an instant cut to milliseconds the list would show rows
 * twice, and one ordered by such would be read whole for each page.
 */
const DeliveryCursor = v.tuple([v.pipe(v.number(), v.safeInteger()), Id])
const microsOf = (instant: PgColumn) => sql`extract(epoch from ${instant}) * 1000000`.mapWith(Number)
const instantOf = (micros: number) => sql`'epoch'::timestamptz + ${micros}::int8 * interval '1 microsecond'`

const listDeliveries = operation(
  {
    operationId: 'listDeliveries',
    tag: 'Webhooks',
    summary: 'List the deliveries of a webhook',
    description: 'With every attempt, newest first.',
    params: idOf('webhook'),
    query: v.object({
      state: v.optional(stateFilter),
      limit: Limit,
      cursor: cursorOf(DeliveryCursor),
    }),
    answer: pageOf('DeliveryPage', Delivery),
    returns: 'A page of deliveries.',
  },
  async (c, { params, query: { state, limit, cursor: after } }) => {
    const { tenantId, id } = await webhookOf(c, params.id)
    if (state === null) return emptyPage()
    const { createdAt } = webhookDeliveries
    const rows = await query(
      c,
      db
        .select({ ...getTableColumns(webhookDeliveries), createdMicros: microsOf(createdAt) })
        .from(webhookDeliveries)
        .where(
          and(
            eq(webhookDeliveries.tenantId, tenantId),
            eq(webhookDeliveries.webhookId, id),
            state && eq(webhookDeliveries.state, state),
            after && sql`(${createdAt}, ${webhookDeliveries.id}) < (${instantOf(after[0])}, ${after[1]})`,
          ),
        )
        .orderBy(desc(createdAt), desc(webhookDeliveries.id))
        .limit(limit + 1),
    )
    return page(rows, limit, deliveryView, (row) => [row.createdMicros, row.id])
  },
)

const retryDelivery = operation(
  {
    operationId: 'retryDelivery',
    tag: 'Webhooks',
    summary: 'Send a delivery again',
    description:
      'Now, with the same `webhook-id`, whatever became of it before; should that fail, by the whole schedule again.',
    params: idOf('delivery'),
    status: 202,
    answer: Delivery,
    returns: 'The delivery, on its way.',
  },
  async (c, { params: { id } }) => {
    const [row] = await query(
      c,
      db
        .update(webhookDeliveries)
        .set(sentAgain(new Date()))
        .where(and(eq(webhookDeliveries.tenantId, c.get('tenantId')), eq(webhookDeliveries.id, id)))
        .returning(),
    )
    if (row === undefined) throw notFound()
    return deliveryView(row)
  },
)

/** Due now, with all attempts of the schedule before it. */
const sentAgain = (now: Date) => ({ state: 'pending' as const, nextAttemptAt: now, attemptCount: 0 })

const INSTANT_RULE = 'must be ISO 8601 or epoch milliseconds'
const Since = component(
  'RetryFailed',
  v.object({
    since: told(
      v.pipe(
        v.union([v.string(), v.number()], INSTANT_RULE),
        v.transform((value) => parseTimestamp(value, 'ms')),
        v.number(INSTANT_RULE),
        v.check(isInstant, INSTANT_RULE),
        v.transform((ms) => new Date(ms)),
      ),
      'Only deliveries whose message was made then or later: ISO 8601 or epoch milliseconds.',
    ),
  }),
  'Which failed deliveries to send again.',
  { since: '2026-01-08T12:00:00Z' },
)
const Retried = component(
  'RetriedDeliveries',
  v.object({ deliveries: told(v.pipe(v.number(), v.integer()), 'How many are on their way again.') }),
  'What was sent again.',
  { deliveries: 17 },
)

const retryFailed = operation(
  {
    operationId: 'retryFailedDeliveries',
    tag: 'Webhooks',
    summary: 'Send all failed deliveries again',
    description: 'Those of one webhook, each as `POST /v1/deliveries/{id}/retry` does.',
    params: idOf('webhook'),
    body: Since,
    status: 202,
    answer: Retried,
    returns: 'How many.',
  },
  async (c, { params, body: { since } }) => {
    const { tenantId, id } = await webhookOf(c, params.id)
    const { rowCount } = await query(
      c,
      db
        .update(webhookDeliveries)
        .set(sentAgain(new Date()))
        .where(
          and(
            eq(webhookDeliveries.tenantId, tenantId),
            eq(webhookDeliveries.webhookId, id),
            eq(webhookDeliveries.state, 'failed'),
            gte(webhookDeliveries.createdAt, since),
          ),
        ),
    )
    return { deliveries: rowCount }
  },
)

function deliveryView(row: typeof webhookDeliveries.$inferSelect): v.InferOutput<typeof Delivery> {
  return {
    id: row.id,
    webhook_id: row.webhookId,
    type: row.type,
    state: row.state,
    next_attempt_at: row.nextAttemptAt,
    attempts: row.attempts,
  }
}

/** What goes to webhooks. The ML service sends it. */
export const deliveryRoutes = new Hono<AppEnv>()
  .post('/webhooks/:id/test', requireScope('manage'), sendTest)
  .get('/webhooks/:id/deliveries', requireScope('read'), listDeliveries)
  .post('/webhooks/:id/retry-failed', requireScope('manage'), retryFailed)
  .post('/deliveries/:id/retry', requireScope('manage'), retryDelivery)
