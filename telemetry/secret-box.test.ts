import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openSecret, sealSecret } from './secret-box.ts'

const KEY = Buffer.alloc(32, 1).toString('base64')
const CONTEXT = 'webhook_endpoints/tenant-a/endpoint-1'
const SECRET = `whsec_${'A'.repeat(32)}`

test('any secret opens with the key and context it was sealed with', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'grapheme' }), fc.string(), async (secret, context) => {
      expect(await openSecret(await sealSecret(secret, KEY, context), KEY, context)).toBe(secret)
    }),
  )
})

test('the stored text does not show the secret, and sealing twice gives two texts', async () => {
  const [first, second] = await Promise.all([
    sealSecret(SECRET, KEY, CONTEXT),
    sealSecret(SECRET, KEY, CONTEXT),
  ])
  expect(first).toMatch(/^v1\.[\w-]{16}\.[\w-]+$/)
  expect(Buffer.from(first.split('.')[2]!, 'base64url').includes('whsec_')).toBe(false)
  expect(first).not.toBe(second)
})

test.each([
  ["another tenant's row", 'webhook_endpoints/tenant-b/endpoint-1'],
  ['another endpoint', 'webhook_endpoints/tenant-a/endpoint-2'],
  ['no context', ''],
])('a secret moved to %s does not open', async (_, context) => {
  await expect(openSecret(await sealSecret(SECRET, KEY, CONTEXT), KEY, context)).rejects.toThrow()
})

test('a secret does not open with another key', async () => {
  const other = Buffer.alloc(32, 2).toString('base64')
  await expect(openSecret(await sealSecret(SECRET, KEY, CONTEXT), other, CONTEXT)).rejects.toThrow()
})

test('a secret of which any one bit was changed does not open', async () => {
  const sealed = await sealSecret(SECRET, KEY, CONTEXT)
  const [, iv, text] = sealed.split('.').map((part) => Buffer.from(part, 'base64url'))
  const bits = (iv!.length + text!.length) * 8
  await fc.assert(
    fc.asyncProperty(fc.nat(bits - 1), async (bit) => {
      const bytes = Buffer.concat([iv!, text!])
      bytes[bit >> 3]! ^= 1 << (bit & 7)
      const [changedIv, changedText] = [bytes.subarray(0, iv!.length), bytes.subarray(iv!.length)]
      const changed = `v1.${changedIv.toString('base64url')}.${changedText.toString('base64url')}`
      await expect(openSecret(changed, KEY, CONTEXT)).rejects.toThrow()
    }),
  )
})

test.each([
  ['nothing', ''],
  ['the clear secret', SECRET],
  ['another version', 'v2.AAAAAAAAAAAAAAAA.AAAA'],
  ['no ciphertext', 'v1.AAAAAAAAAAAAAAAA'],
  ['an empty ciphertext', 'v1.AAAAAAAAAAAAAAAA.'],
  ['a ciphertext shorter than its tag', 'v1.AAAAAAAAAAAAAAAA.AAAA'],
  ['an empty IV', 'v1..AAAA'],
])('%s is not taken for a sealed secret', async (_, stored) => {
  await expect(openSecret(stored, KEY, CONTEXT)).rejects.toThrow()
})

test.each([
  ['no key', ''],
  ['a short key', Buffer.alloc(16).toString('base64')],
  ['a long key', Buffer.alloc(33).toString('base64')],
])('%s is refused, and the message names the setting, not the key', async (_, key) => {
  await expect(sealSecret(SECRET, key, CONTEXT)).rejects.toThrow('WEBHOOK_SECRET_KEY must be 32 bytes')
  await expect(openSecret('v1.AAAA.AAAA', key, CONTEXT)).rejects.toThrow(
    'WEBHOOK_SECRET_KEY must be 32 bytes',
  )
})
