const FORMAT = 'v2'
const IV_BYTES = 12
const KEY_BYTES = 32

/**
 * Encrypts a short secret for storage with AES-256-GCM: `v2.<key id>.<IV>.<ciphertext>`. `keyBase64` holds 32 bytes;
 * `context` (the row's identity) is authenticated, so that a ciphertext moved to another row does not open. The IV
 * is random: safe for far more secrets than a table holds.
 */
export async function sealSecret(secret: string, keyBase64: string, context: string): Promise<string> {
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES))
  const key = await importKey(keyBase64)
  const text = new TextEncoder().encode(secret)
  const sealed = await crypto.subtle.encrypt(algorithmOf(iv, context), key, text)
  const parts = [Buffer.from(iv), Buffer.from(sealed)].map((bytes) => bytes.toString('base64url'))
  return [FORMAT, await keyIdOf(keyBase64), ...parts].join('.')
}

/**
 * The secret that `sealSecret` sealed in the same context with one of `keys`; throws on anything else. Texts of the
 * format before (`v1.<IV>.<ciphertext>`) do not say with which, so each is tried.
 */
export async function openSecret(sealed: string, keys: string[], context: string): Promise<string> {
  const [format, ...parts] = sealed.split('.')
  const [iv, text] = parts.slice(-2)
  if (!iv || !text || parts.length !== { v1: 2, v2: 3 }[format ?? '']) {
    throw new Error('The stored secret has an unknown format.')
  }
  const candidates = format === 'v1' ? keys : await keysOf(keys, parts[0])
  const opened = candidates.map(async (keyBase64) => {
    const key = await importKey(keyBase64)
    return crypto.subtle.decrypt(
      algorithmOf(Buffer.from(iv, 'base64url'), context),
      key,
      Buffer.from(text, 'base64url'),
    )
  })
  const results = await Promise.allSettled(opened)
  const success = results.find((result) => result.status === 'fulfilled')
  if (success) return new TextDecoder().decode(success.value)
  const [failure] = results
  throw failure?.status === 'rejected'
    ? failure.reason
    : new Error('The stored secret was sealed with another key than WEBHOOK_SECRET_KEY or its predecessor.')
}

/** Whether `sealed` needs no sealing again to be opened with `keyBase64` alone. */
export async function isSealedWith(sealed: string, keyBase64: string): Promise<boolean> {
  return sealed.startsWith(`${FORMAT}.${await keyIdOf(keyBase64)}.`)
}

/** 32 bits of the key's SHA-256: tells a handful of keys apart and tells nothing of them. */
async function keyIdOf(keyBase64: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', rawKey(keyBase64))
  return Buffer.from(digest, 0, 4).toString('hex')
}

async function keysOf(keys: string[], keyId: string | undefined): Promise<string[]> {
  const ids = await Promise.all(keys.map(keyIdOf))
  return keys.filter((_, i) => ids[i] === keyId)
}

function rawKey(keyBase64: string) {
  const raw = Buffer.from(keyBase64, 'base64')
  if (raw.length !== KEY_BYTES) throw new Error(`WEBHOOK_SECRET_KEY must be ${KEY_BYTES} bytes in base64.`)
  return raw
}

const importKey = (keyBase64: string) =>
  crypto.subtle.importKey('raw', rawKey(keyBase64), 'AES-GCM', false, ['encrypt', 'decrypt'])

const algorithmOf = (iv: Uint8Array<ArrayBuffer>, context: string) => ({
  name: 'AES-GCM',
  iv,
  additionalData: new TextEncoder().encode(context),
})
