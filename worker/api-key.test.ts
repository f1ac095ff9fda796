import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { makeKey, parseKey } from './api-key.ts'

const TENANT = '0f8fad5b-d9cb-469f-a165-70867728950e'
const secret = new Uint8Array(16).fill(9)
const key = makeKey(TENANT, secret, 'mac')

describe('an API key', () => {
  it('starts with epk_, names its tenant and is known by its hash', () => {
    expect(key).toMatch(/^epk_[A-Za-z0-9_-]{64}$/)
    expect(parseKey(key, ['mac'])).toEqual({
      tenantId: TENANT,
      hash: createHash('sha256').update(key).digest('hex'),
    })
  })

  it('is taken under the MAC secret before the present one too, and under no other', () => {
    expect(parseKey(key, ['new', 'mac'])?.tenantId).toBe(TENANT)
    expect(parseKey(key, ['new'])).toBeUndefined()
    expect(parseKey(key, [])).toBeUndefined()
  })

  it('is refused with any character changed, cut, added or spelt otherwise', () => {
    for (let i = 0; i < key.length; i += 1) {
      const other = key[i] === 'A' ? 'B' : 'A'
      expect(parseKey(key.slice(0, i) + other + key.slice(i + 1), ['mac'])).toBeUndefined()
    }
    for (const odd of [
      key.slice(0, -1),
      `${key}A`,
      `${key.slice(0, -1)}=`,
      ` ${key}`,
      key.replace('epk_', 'EPK_'),
      '',
    ]) {
      expect(parseKey(odd, ['mac'])).toBeUndefined()
    }
  })
})
