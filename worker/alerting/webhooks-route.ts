import { and, asc, eq, sql } from 'drizzle-orm'
import type { PgUpdateSetSource } from 'drizzle-orm/pg-core'
import { type Context, Hono } from 'hono'
import * as v from 'valibot'
import { webhookEndpoints } from '../../migrations/alerting-schema.ts'
import { sealSecret } from '../../telemetry/secret-box.ts'
import { webhookSecretOf } from '../../telemetry/signature.ts'
import type { AppEnv } from '../app-env.ts'
import { db, query } from '../database.ts'
import { component, Id, Instant, pageOf, told } from '../openapi/fields.ts'
import { operation } from '../openapi/operation.ts'
import { Problem } from '../problem.ts'
import { cursorOf, idOf, Limit, notFound, page } from '../query/parameters.ts'
import { requireScope } from '../tenant-auth.ts'
import { webhookOf } from './webhook-of.ts'
import { webhookUrlFault } from './webhook-url.ts'

const SECRET_BYTES = 32
const OLD_SECRET_SIGNS_FOR_MS = 24 * 3_600_000
/** Each makes every message's header longer. */
const MAX_OLD_SECRETS = 5

const Url = told(
  v.pipe(v.string(), v.maxLength(2048)),
  'An `https:` address that the public internet reaches, without user name or password.',
)
const Enabled = told(
  v.boolean(),
  'Whether messages are sent; a receiver that answers 410, or nothing good for five days, turns it off.',
)
const Secret = told(v.string(), '`whsec_` and base64: what messages are signed with. Shown this once.')

const NewWebhook = component(
  'NewWebhook',
  v.object({ url: Url, enabled: v.optional(Enabled, true) }),
  'A webhook to create.',
  { url: 'https://hooks.example.com/edgepulse' },
)
const WebhookChange = component(
  'WebhookChange',
  v.object({ url: v.optional(Url), enabled: v.optional(Enabled) }),
  'What to change of a webhook.',
  { enabled: false },
)
const Webhook = component(
  'Webhook',
  v.object({
    id: Id,
    url: told(v.string(), 'The address as it is called.'),
    enabled: Enabled,
    failing_since: told(v.nullable(Instant), 'The first failed attempt since the last good one; null: none.'),
    disabled_at: told(v.nullable(Instant), 'When EdgePulse turned it off; null: it did not.'),
    disabled_reason: told(
      v.nullable(v.picklist(['gone', 'failing'])),
      'Why: it answered 410, or nothing got through for five days.',
    ),
  }),
  'Where alerts are sent.',
  {
    id: 'd0c1b2a3-9485-4766-8857-a9b8c7d6e5f4',
    url: 'https://hooks.example.com/edgepulse',
    enabled: true,
    failing_since: null,
    disabled_at: null,
    disabled_reason: null,
  },
)
const CreatedWebhook = component(
  'CreatedWebhook',
  v.object({ ...Webhook.entries, secret: Secret }),
  'A new webhook, with its secret.',
)
const WebhookSecret = component('WebhookSecret', v.object({ secret: Secret }), 'The new secret of a webhook.')

const params = idOf('webhook')

const newSecret = () => webhookSecretOf(crypto.getRandomValues(new Uint8Array(SECRET_BYTES)))

/** The identity that a sealed secret is bound to. */
const sealContext = (tenantId: string, webhookId: string) => `${tenantId}/${webhookId}`

const listWebhooks = operation(
  {
    operationId: 'listWebhooks',
    tag: 'Webhooks',
    summary: 'List webhooks',
    query: v.object({ limit: Limit, cursor: cursorOf(Id) }),
    answer: pageOf('WebhookPage', Webhook),
    returns: 'A page of webhooks.',
  },
  async (c, { query: { limit, cursor: after } }) => {
    const rows = await query(
      c,
      db
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
    return page(rows, limit, webhookView, (row) => row.id)
  },
)

const createWebhook = operation(
  {
    operationId: 'createWebhook',
    tag: 'Webhooks',
    summary: 'Create a webhook',
    description:
      'Messages follow the Standard Webhooks specification; verify them with the secret in the answer.',
    body: NewWebhook,
    status: 201,
    answer: CreatedWebhook,
    returns: 'The webhook, with its secret.',
  },
  async (c, { body: { url: text, enabled } }) => {
    const url = acceptedUrl(c, text)
    const [tenantId, id, secret] = [c.get('tenantId'), crypto.randomUUID(), newSecret()]
    const sealed = await sealSecret(secret, c.env.WEBHOOK_SECRET_KEY, sealContext(tenantId, id))
    const [row] = await query(
      c,
      db.insert(webhookEndpoints).values({ tenantId, id, url, enabled, secret: sealed }).returning(),
    )
    return { ...webhookView(row!), secret }
  },
)

const getWebhook = operation(
  {
    operationId: 'getWebhook',
    tag: 'Webhooks',
    summary: 'Read a webhook',
    params,
    answer: Webhook,
    returns: 'The webhook, without its secret.',
  },
  async (c, given) => webhookView(await webhookOf(c, given.params.id)),
)

const changeWebhook = operation(
  {
    operationId: 'updateWebhook',
    tag: 'Webhooks',
    summary: 'Change a webhook',
    description:
      'Fields that are left out stay as they are. Turned on, it gets what has been waiting for it, and five more days.',
    params,
    body: WebhookChange,
    answer: Webhook,
    returns: 'The webhook as it is now.',
  },
  async (c, { params: { id }, body: { url: text, enabled } }) => {
    const url = text === undefined ? undefined : acceptedUrl(c, text)
    const found = await webhookOf(c, id)
    if (url === undefined && enabled === undefined) return webhookView(found)
    const fresh = enabled && { failingSince: null, disabledAt: null, disabledReason: null }
    return webhookView(await update(c, found, { url, enabled, ...fresh }))
  },
)

const deleteWebhook = operation(
  {
    operationId: 'deleteWebhook',
    tag: 'Webhooks',
    summary: 'Delete a webhook',
    params,
    returns: 'It is gone.',
  },
  async (c, given) => {
    const { tenantId, id } = await webhookOf(c, given.params.id)
    await query(
      c,
      db
        .delete(webhookEndpoints)
        .where(and(eq(webhookEndpoints.tenantId, tenantId), eq(webhookEndpoints.id, id))),
    )
  },
)

const rotateSecret = operation(
  {
    operationId: 'rotateWebhookSecret',
    tag: 'Webhooks',
    summary: 'Replace the secret of a webhook',
    description: `The old secret signs along for 24 hours, also when it is replaced again; ${MAX_OLD_SECRETS} may do so at a time.`,
    params,
    answer: WebhookSecret,
    returns: 'The new secret.',
    problems: ['rate_limited'],
  },
  async (c, given) => {
    const found = await webhookOf(c, given.params.id)
    const secret = newSecret()
    const sealed = await sealSecret(secret, c.env.WEBHOOK_SECRET_KEY, sealContext(found.tenantId, found.id))
    await replaceSecret(c, found, sealed, Date.now())
    return { secret }
  },
)

/** Unless somebody else has replaced it meanwhile: of two at once the second begins anew, or a secret would be lost. */
async function replaceSecret(
  c: Context<AppEnv>,
  { tenantId, id, secret, previousSecrets }: typeof webhookEndpoints.$inferSelect,
  sealed: string,
  now: number,
): Promise<void> {
  const signing = previousSecrets.filter(({ expires_at }) => Date.parse(expires_at) > now)
  if (signing.length >= MAX_OLD_SECRETS) {
    const firstExpiry = Math.min(...signing.map(({ expires_at }) => Date.parse(expires_at)))
    throw new Problem(
      'rate_limited',
      'Too many old secrets still sign along; wait for the first to expire.',
      {
        retryAfterSeconds: Math.ceil((firstExpiry - now) / 1000),
      },
    )
  }
  const expires_at = new Date(now + OLD_SECRET_SIGNS_FOR_MS).toISOString()
  const [row] = await query(
    c,
    db
      .update(webhookEndpoints)
      .set({ secret: sealed, previousSecrets: [{ secret, expires_at }, ...signing] })
      .where(
        and(
          eq(webhookEndpoints.tenantId, tenantId),
          eq(webhookEndpoints.id, id),
          eq(webhookEndpoints.secret, secret),
        ),
      )
      .returning({ id: webhookEndpoints.id }),
  )
  if (row === undefined) await replaceSecret(c, await webhookOf(c, id), sealed, now)
}

async function update(
  c: Context<AppEnv>,
  { tenantId, id }: { tenantId: string; id: string },
  change: PgUpdateSetSource<typeof webhookEndpoints>,
) {
  const [row] = await query(
    c,
    db
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

const webhookView = (row: typeof webhookEndpoints.$inferSelect): v.InferOutput<typeof Webhook> => ({
  id: row.id,
  url: row.url,
  enabled: row.enabled,
  failing_since: row.failingSince,
  disabled_at: row.disabledAt,
  disabled_reason: row.disabledReason,
})

/** `/v1/webhooks`. A secret is shown once, at creation or rotation. */
export const webhooksRoute = new Hono<AppEnv>()
  .get('/', requireScope('read'), listWebhooks)
  .post('/', requireScope('manage'), createWebhook)
  .get('/:id', requireScope('read'), getWebhook)
  .patch('/:id', requireScope('manage'), changeWebhook)
  .delete('/:id', requireScope('manage'), deleteWebhook)
  .post('/:id/rotate-secret', requireScope('manage'), rotateSecret)
