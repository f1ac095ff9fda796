import { openSecret } from '../../telemetry/secret-box.ts'
import { signWebhook } from '../../telemetry/signature.ts'
import { traceIdFromUuid, traceparentOf } from '../../telemetry/trace.ts'
import { messageOf } from '../log.ts'
import type { DeliverDeps } from './deliver-due.ts'
import type { Delivery } from './deliveries-sql.ts'
import { notPosted, type PostResult } from './post-webhook.ts'

/** One attempt: the stored bytes, signed as of `now`. Never throws. */
export async function sendSigned(
  { webhookSecretKeys, randomBytes, post }: Pick<DeliverDeps, 'webhookSecretKeys' | 'randomBytes' | 'post'>,
  delivery: Delivery,
  now: number,
): Promise<PostResult> {
  const { id, url, body } = delivery
  const timestampSeconds = Math.floor(now / 1000)
  let signature: string
  try {
    const secrets = await secretsOf(delivery, webhookSecretKeys, now)
    signature = await signWebhook(secrets, { id, timestampSeconds, body })
  } catch (error) {
    return { ...notPosted(`the secret cannot be opened: ${messageOf(error)}`), unsent: true }
  }
  const headers = {
    'content-type': 'application/json',
    'user-agent': 'EdgePulse-Webhooks/1.0',
    'webhook-id': id,
    'webhook-timestamp': String(timestampSeconds),
    'webhook-signature': signature,
    traceparent: traceparentOf(traceIdFromUuid(delivery.traceUuid), randomBytes),
  }
  return post(url, headers, body)
}

/** The secret, and those before it that still sign along. */
async function secretsOf(delivery: Delivery, keys: string[], now: number): Promise<string[]> {
  const before = delivery.previousSecrets.filter(({ expires_at }) => Date.parse(expires_at) > now)
  const sealed = [delivery.secret, ...before.map(({ secret }) => secret)]
  const context = `${delivery.tenantId}/${delivery.webhookId}`
  return Promise.all(sealed.map((text) => openSecret(text, keys, context)))
}
