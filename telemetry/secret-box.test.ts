import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isSealedWith, openSecret, sealSecret } from './secret-box.ts'

const KEY = Buffer.alloc(32, 1).toString('base64')
const OTHER_KEY = Buffer.alloc(32, 2).toString('base64')
const CONTEXT = 'webhook_endpoints/tenant-a/endpoint-1'
const SECRET = `whsec_${'A'.repeat(32)}`

/** Sealed with KEY in CONTEXT by the format before key ids were stored. */
const V1 = 'v1.AAECAwQFBgcICQoL.zM7mQ0OhRzi_K6aFYSiJ4u-HKku00ARBMIt5weDGfPMTkpvlMIKgM9CYD_gqMu4EYyddlEYG'

test('any secret opens with the key and context it was sealed with', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'grapheme' }), fc.string(), async (secret, context) => {
      expect(await openSecret(await sealSecret(secret, KEY, context), [KEY], context)).toBe(secret)
    }),
  )
})

test('the stored text names its key, does not show the secret, and sealing twice gives two texts', async () => {
  const [first, second, other] = await Promise.all([
    sealSecret(SECRET, KEY, CONTEXT),
    sealSecret(SECRET, KEY, CONTEXT),
    sealSecret(SECRET, OTHER_KEY, CONTEXT),
  ])
  expect(first).toMatch(/^v2\.[0-9a-f]{8}\.[\w-]{16}\.[\w-]+$/)
  expect(Buffer.from(first.split('.')[3]!, 'base64url').includes('whsec_')).toBe(false)
  expect(first).not.toBe(second)
  const keyId = (sealed: string) => sealed.split('.')[1]
  expect(keyId(second)).toBe(keyId(first))
  expect(keyId(other)).not.toBe(keyId(first))
})

test('while the key is being replaced, what either sealed opens', async () => {
  for (const key of [KEY, OTHER_KEY]) {
    const sealed = await sealSecret(SECRET, key, CONTEXT)
    expect(await openSecret(sealed, [OTHER_KEY, KEY], CONTEXT)).toBe(SECRET)
    expect(await isSealedWith(sealed, key)).toBe(true)
    expect(await isSealedWith(sealed, key === KEY ? OTHER_KEY : KEY)).toBe(false)
  }
})

test('a text of the format before opens with whichever key sealed it, and asks to be sealed again', async () => {
  expect(await openSecret(V1, [OTHER_KEY, KEY], CONTEXT)).toBe(SECRET)
  await expect(openSecret(V1, [OTHER_KEY], CONTEXT)).rejects.toThrow()
  expect(await isSealedWith(V1, KEY)).toBe(false)
})

test.each([
  ["another tenant's row", 'webhook_endpoints/tenant-b/endpoint-1'],
  ['another endpoint', 'webhook_endpoints/tenant-a/endpoint-2'],
  ['no context', ''],
])('a secret moved to %s does not open', async (_, context) => {
  await expect(openSecret(await sealSecret(SECRET, KEY, CONTEXT), [KEY], context)).rejects.toThrow()
})

test.each([[[OTHER_KEY]], [[]]])('a secret does not open without its key', async (keys) => {
  const sealed = await sealSecret(SECRET, KEY, CONTEXT)
  await expect(openSecret(sealed, keys, CONTEXT)).rejects.toThrow('sealed with another key')
})

test('a secret of which any one bit was changed does not open', async () => {
  const sealed = await sealSecret(SECRET, KEY, CONTEXT)
  const [, keyId, ...parts] = sealed.split('.')
  const [iv, text] = parts.map((part) => Buffer.from(part, 'base64url'))
  const bits = (iv!.length + text!.length) * 8
  await fc.assert(
    fc.asyncProperty(fc.nat(bits - 1), async (bit) => {
      const bytes = Buffer.concat([iv!, text!])
      bytes[bit >> 3]! ^= 1 << (bit & 7)
      const changed = [bytes.subarray(0, iv!.length), bytes.subarray(iv!.length)]
      const stored = ['v2', keyId, ...changed.map((part) => part.toString('base64url'))].join('.')
      await expect(openSecret(stored, [KEY], CONTEXT)).rejects.toThrow()
    }),
  )
})

test.each([
  ['nothing', ''],
  ['the clear secret', SECRET],
  ['another version', 'v3.AAAAAAAAAAAAAAAA.AAAA'],
  ['no ciphertext', 'v1.AAAAAAAAAAAAAAAA'],
  ['no key id', 'v2.AAAAAAAAAAAAAAAA.AAAA'],
  ['an empty ciphertext', 'v1.AAAAAAAAAAAAAAAA.'],
  ['a ciphertext shorter than its tag', 'v1.AAAAAAAAAAAAAAAA.AAAA'],
  ['an empty IV', 'v1..AAAA'],
])('%s is not taken for a sealed secret', async (_, stored) => {
  await expect(openSecret(stored, [KEY], CONTEXT)).rejects.toThrow()
})

test.each([
  ['no key', ''],
  ['a short key', Buffer.alloc(16).toString('base64')],
  ['a long key', Buffer.alloc(33).toString('base64')],
])('%s is refused, and the message names the setting, not the key', async (_, key) => {
  await expect(sealSecret(SECRET, key, CONTEXT)).rejects.toThrow('WEBHOOK_SECRET_KEY must be 32 bytes')
  await expect(openSecret('v1.AAAA.AAAA', [key], CONTEXT)).rejects.toThrow(
    'WEBHOOK_SECRET_KEY must be 32 bytes',
  )
})
