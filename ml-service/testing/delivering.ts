import { randomUUID } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import { afterAll, afterEach, beforeEach } from 'vitest'
import { cryptoRandom } from '../../telemetry/trace.ts'
import { sleep } from '../serve/sleep.ts'
import { type DeliverDeps, type DeliverSummary, deliverDue } from '../webhooks/deliver-due.ts'
import { enqueueDeliveries, type WebhookMessage } from '../webhooks/enqueue-deliveries.ts'
import { guardedAgent, type Resolve } from '../webhooks/guarded-agent.ts'
import { postWebhook } from '../webhooks/post-webhook.ts'
import { ownDatabase } from './own-database.ts'
import { addEndpoint, SECRET_KEY } from './seed-alerting.ts'
import { seedTenant } from './seed-tenant.ts'
import { type Answer, type ReceivedRequest, startReceiver } from './webhook-receiver.ts'

export const BODY = '{"type":"alert.opened","timestamp":"2026-01-01T00:00:00.000Z","data":{"text":"é ✓"}}'

/** The package that receivers use, over what they got. */
export const verify = (secret: string, { body, headers }: ReceivedRequest) =>
  new Webhook(secret).verify(body, {
    'webhook-id': String(headers['webhook-id']),
    'webhook-timestamp': String(headers['webhook-timestamp']),
    'webhook-signature': String(headers['webhook-signature']),
  })

/**
 * The real deliverer over a database of the test file's own, because it delivers everything that is due, with the
 * test's clock and real receivers on loopback; no name leads anywhere.
 */
export function delivering() {
  const TIMEOUT_MS = 400
  const resolve: Resolve = (name, _options, callback) =>
    callback(new Error(`getaddrinfo ENOTFOUND ${name}`), [])
  const dispatcher = guardedAgent({ allowPrivate: true, resolve })
  const closers: (() => Promise<void>)[] = []
  const { pool, url: databaseUrl } = ownDatabase()
  beforeEach(() => pool().query('delete from tenants'))
  afterEach(async () => {
    for (const close of closers.splice(0)) await close()
  })
  afterAll(() => dispatcher.destroy())

  const receiver = async (answer?: Answer) => {
    const started = await startReceiver(answer)
    closers.push(started.stop)
    return started
  }

  const enqueue = (tenantId: string, now: number, message: Partial<WebhookMessage> = {}) =>
    enqueueDeliveries(
      pool(),
      tenantId,
      { eventKey: randomUUID(), type: 'alert.opened', body: BODY, ...message },
      now,
    )

  return {
    pool,
    databaseUrl,
    receiver,
    enqueue,
    closing: (close: () => Promise<void>) => closers.push(close),
    /** Everything that is due at `now`, the middle of the jitter, a receiver waited for 0.4 s. */
    deliver: (now: number, deps: Partial<DeliverDeps> = {}): Promise<DeliverSummary> =>
      deliverDue({
        pool: pool(),
        now: () => now,
        random: () => 0.5,
        randomBytes: cryptoRandom,
        logSampleRate: 1,
        sleep,
        webhookSecretKeys: [SECRET_KEY],
        post: (url, headers, body) =>
          postWebhook(url, headers, body, { dispatcher, allowPrivate: true, timeoutMs: TIMEOUT_MS }),
        ...deps,
      }),
    /** A tenant with one endpoint, the receiver's unless another URL is given, and one delivery that is due now. */
    due: async (answer?: Answer, url?: (port: number) => string) => {
      const started = await receiver(answer)
      const { tenantId } = await seedTenant(pool())
      const endpoint = await addEndpoint(pool(), tenantId, url?.(started.port) ?? started.url)
      const now = Date.now()
      await enqueue(tenantId, now)
      return { receiver: started, tenantId, endpoint, now }
    },
    deliveriesOf: async (tenantId: string) => {
      const { rows } = await pool().query(
        'select * from webhook_deliveries where tenant_id = $1 order by created_at, sequence, id',
        [tenantId],
      )
      return rows
    },
    endpointOf: async (tenantId: string) => {
      const { rows } = await pool().query(
        'select * from webhook_endpoints where tenant_id = $1 order by created_at, id',
        [tenantId],
      )
      return rows[0]
    },
  }
}
