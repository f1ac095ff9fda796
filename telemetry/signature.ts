const SECRET_PREFIX = 'whsec_'

/** A new webhook secret, `whsec_` and the base64 of `randomBytes` (24-64 of them, from a secure source). */
export function webhookSecretOf(randomBytes: Uint8Array): string {
  if (randomBytes.length < 24 || randomBytes.length > 64) {
    throw new RangeError(
      `Cannot make a webhook secret: 24 to 64 random bytes are needed, got ${randomBytes.length}.`,
    )
  }
  return SECRET_PREFIX + Buffer.from(randomBytes).toString('base64')
}

/**
 * The `webhook-signature` header of Standard Webhooks 1.0.0: HMAC-SHA256 over `id.timestamp.body`, one `v1,…`
 * per secret (two while a secret is being rotated). `body` must be exactly what is sent.
 */
export async function signWebhook(
  secrets: string[],
  message: { id: string; timestampSeconds: number; body: string },
): Promise<string> {
  const signed = new TextEncoder().encode(`${message.id}.${message.timestampSeconds}.${message.body}`)
  const signatures = secrets.map(async (secret) => {
    const raw = Buffer.from(secret.replace(SECRET_PREFIX, ''), 'base64')
    const key = await crypto.subtle.importKey('raw', raw, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
    return `v1,${Buffer.from(await crypto.subtle.sign('HMAC', key, signed)).toString('base64')}`
  })
  return (await Promise.all(signatures)).join(' ')
}
