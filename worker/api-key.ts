import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

const PREFIX = 'epk_'
const TENANT_BYTES = 16
const SECRET_BYTES = 16
const TAG_BYTES = 16
const KEY_LENGTH = PREFIX.length + ((TENANT_BYTES + SECRET_BYTES + TAG_BYTES) * 4) / 3

export interface ParsedKey {
  tenantId: string
  /** SHA-256 of the whole key, hex: all that is ever stored or sent on. */
  hash: string
}

/**
 * A new key: `epk_` and base64url of tenant (16 bytes), `secret` (16 random bytes) and tag. The tag is a MAC
 * over the rest, so that a made-up key is refused by arithmetic, without asking any object.
 */
export function makeKey(tenantId: string, secret: Uint8Array, macSecret: string): string {
  if (secret.length !== SECRET_BYTES) {
    throw new RangeError(
      `Cannot make a key: the secret must have ${SECRET_BYTES} bytes, got ${secret.length}.`,
    )
  }
  const body = Buffer.concat([Buffer.from(tenantId.replaceAll('-', ''), 'hex'), secret])
  return PREFIX + Buffer.concat([body, tagOf(body, macSecret)]).toString('base64url')
}

/** The tenant that a key names and the key's hash; undefined when no key with one of `macSecrets` reads so. */
export function parseKey(key: string, macSecrets: string[]): ParsedKey | undefined {
  if (key.length !== KEY_LENGTH || !key.startsWith(PREFIX)) return undefined
  const bytes = Buffer.from(key.slice(PREFIX.length), 'base64url')
  // Characters outside the alphabet are dropped by the decoder, hence the length; a second spelling is none.
  if (bytes.length !== TENANT_BYTES + SECRET_BYTES + TAG_BYTES) return undefined
  if (PREFIX + bytes.toString('base64url') !== key) return undefined
  const body = bytes.subarray(0, TENANT_BYTES + SECRET_BYTES)
  const tag = bytes.subarray(TENANT_BYTES + SECRET_BYTES)
  if (!macSecrets.some((macSecret) => timingSafeEqual(tagOf(body, macSecret), tag))) return undefined
  const hex = body.toString('hex', 0, TENANT_BYTES)
  const tenantId = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  return { tenantId, hash: createHash('sha256').update(key).digest('hex') }
}

function tagOf(body: Uint8Array, macSecret: string): Buffer {
  return createHmac('sha256', macSecret).update(body).digest().subarray(0, TAG_BYTES)
}
