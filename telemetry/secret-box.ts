const FORMAT = 'v1'
const IV_BYTES = 12
const KEY_BYTES = 32

/**
 * Encrypts a short secret for storage with AES-256-GCM. `keyBase64` holds 32 bytes; `context` (the row's
 * identity) is authenticated, so that a ciphertext moved to another row does not open. The IV is random:
 * safe for far more secrets than a table holds.
 */
export async function sealSecret(secret: string, keyBase64: string, context: string): Promise<string> {
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES))
  const key = await importKey(keyBase64)
  const text = new TextEncoder().encode(secret)
  const sealed = await crypto.subtle.encrypt(
    { name: 'AES-GCM', iv, additionalData: bytesOf(context) },
    key,
    text,
  )
  return [FORMAT, Buffer.from(iv).toString('base64url'), Buffer.from(sealed).toString('base64url')].join('.')
}

/** The secret that `sealSecret` sealed with the same key and context; throws on anything else. */
export async function openSecret(sealed: string, keyBase64: string, context: string): Promise<string> {
  const [format, iv, text] = sealed.split('.')
  if (format !== FORMAT || !iv || !text) throw new Error('The stored secret has an unknown format.')
  const key = await importKey(keyBase64)
  const algorithm = { name: 'AES-GCM', iv: Buffer.from(iv, 'base64url'), additionalData: bytesOf(context) }
  return new TextDecoder().decode(await crypto.subtle.decrypt(algorithm, key, Buffer.from(text, 'base64url')))
}

async function importKey(keyBase64: string) {
  const raw = Buffer.from(keyBase64, 'base64')
  if (raw.length !== KEY_BYTES) throw new Error(`WEBHOOK_SECRET_KEY must be ${KEY_BYTES} bytes in base64.`)
  return crypto.subtle.importKey('raw', raw, 'AES-GCM', false, ['encrypt', 'decrypt'])
}

const bytesOf = (text: string) => new TextEncoder().encode(text)
