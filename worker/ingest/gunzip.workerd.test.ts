import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { gunzip } from './gunzip.ts'

const text = JSON.stringify(Array.from({ length: 30_000 }, (_, i) => i)) // several chunks
const member = (of: string) => new Uint8Array(gzipSync(of))
const joined = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts))
const textOf = (bytes: Uint8Array) => new Response(gunzip(bytes)).text()

/** The member with one byte from its end changed. */
function damaged(fromEnd: number): Uint8Array {
  const bytes = member(text)
  bytes[bytes.length - fromEnd]! ^= 1
  return bytes
}

describe('gunzip', () => {
  it.each([
    ['one member', member(text), text],
    ['several members', joined(member(text), member(''), member(text)), text + text],
    ['a thousand members', joined(...Array.from({ length: 1000 }, () => member('ab'))), 'ab'.repeat(1000)],
    ['a member padded with zeros', joined(member(text), new Uint8Array(512)), text],
    ['a member of nothing', member(''), ''],
  ])('reads %s', async (_, bytes, expected) => {
    expect(await textOf(bytes)).toBe(expected)
  })

  it.each([
    ['no bytes at all', new Uint8Array()],
    ['plain JSON', new TextEncoder().encode('{"series":[]}')],
    ['half a header', member(text).slice(0, 5)],
    ['a member without its last byte', member(text).slice(0, -1)],
    ['a second member that is cut short', joined(member(text), member(text).slice(0, 100))],
    ['a byte behind it', joined(member(text), new Uint8Array([7]))],
    ['other text behind it', joined(member(text), new TextEncoder().encode('{"series":[]} and so on'))],
    ['a header alone behind it', joined(member(text), member(text).slice(0, 10))],
    ['a wrong checksum', damaged(8)],
    ['a wrong length', damaged(1)],
  ])('fails for %s', async (_, bytes) => {
    await expect(textOf(bytes)).rejects.toThrow()
  })

  it('can be given up, having read little more of a bomb than was asked for', async () => {
    const reader = gunzip(member('\0'.repeat(20_000_000))).getReader()
    const { value } = await reader.read()
    expect(value?.byteLength).toBeLessThanOrEqual(64 * 1024)
    await reader.cancel()
    expect((await reader.read()).done).toBe(true)
  })
})
