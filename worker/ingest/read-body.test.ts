import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { checkHeaders, MAX_INFLATED_BYTES, MAX_WIRE_BYTES, readBody } from './read-body.ts'

const encoder = new TextEncoder()

/** A request whose body comes when the test says so: a stream of bytes, as the runtime's are. */
function slowRequest(headers: Record<string, string> = {}) {
  let controller: ReadableByteStreamController | undefined
  const body = new ReadableStream({
    type: 'bytes',
    start(given) {
      controller = given
    },
  })
  const request = { headers: new Headers(headers), body }
  return {
    request,
    send: (text: string) => controller!.enqueue(encoder.encode(text)),
    controller: controller!,
  }
}

const claimed = () => {
  const claims: [number, number][] = []
  return { claims, claim: (...bytes: [number, number]) => claims.push(bytes) }
}

describe('readBody', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('claims what is announced before it reads, then what has come', async () => {
    const { claims, claim } = claimed()
    const { request, send, controller } = slowRequest({ 'content-length': '6' })
    const reading = readBody(request, 'identity', claim)
    expect(claims).toEqual([[6, 0]])
    send('abc')
    await vi.waitFor(() => expect(claims).toContainEqual([3, 0]))
    send('def')
    controller.close()
    const { wire, plain } = await reading
    expect(new TextDecoder().decode(wire)).toBe('abcdef')
    expect(plain).toBe(wire)
    expect(claims.at(-1)).toEqual([6, 0])
  })

  it('takes a body that ends before its stated length for a lost connection', async () => {
    const { request, send, controller } = slowRequest({ 'content-length': '6' })
    const reading = readBody(request, 'identity', () => {})
    send('abc')
    controller.close()
    controller.byobRequest?.respond(0)
    await expect(reading).rejects.toMatchObject({ code: 'unavailable' })
    expect(request.body.locked).toBe(false)
  })

  it('claims what it inflates as it comes out', async () => {
    const { claims, claim } = claimed()
    const zipped = gzipSync(new Uint8Array(300_000))
    const request = new Request('http://edgepulse.test/', { method: 'POST', body: Uint8Array.from(zipped) })
    const { plain } = await readBody(request, 'gzip', claim)
    expect(plain.length).toBe(300_000)
    const inflated = claims.map(([, bytes]) => bytes)
    expect(inflated).toEqual(inflated.toSorted((a, b) => a - b))
    expect(claims.at(-1)).toEqual([zipped.length, 300_000])
  })

  it('reads nothing of a body that is refused when it is announced', async () => {
    const { request } = slowRequest({ 'content-length': '6' })
    const refusal = new Error('no room')
    const refuse = () => {
      throw refusal
    }
    await expect(readBody(request, 'identity', refuse)).rejects.toBe(refusal)
    expect(request.body.locked).toBe(false)
  })

  it('stops at the bounds, on the wire and inflated, and leaves the rest of the body to be thrown away', async () => {
    const tooLong = new Request('http://edgepulse.test/', {
      method: 'POST',
      body: new Uint8Array(MAX_WIRE_BYTES + 1),
    })
    const large = { code: 'payload_too_large' }
    await expect(readBody(tooLong, 'identity', () => {})).rejects.toMatchObject(large)
    expect(tooLong.body?.locked).toBe(false)
    const bomb = Uint8Array.from(gzipSync(new Uint8Array(4 * MAX_INFLATED_BYTES)))
    const { claims, claim } = claimed()
    const zipped = new Request('http://edgepulse.test/', { method: 'POST', body: bomb })
    await expect(readBody(zipped, 'gzip', claim)).rejects.toMatchObject(large)
    expect(Math.max(...claims.map(([, bytes]) => bytes))).toBeLessThanOrEqual(MAX_INFLATED_BYTES)
  })

  it.each([{}, { 'content-length': '6' }])(
    'gives up a sender that falls silent, and none that goes on however slowly: %j',
    async (headers) => {
      const { request, send } = slowRequest(headers)
      const { claims, claim } = claimed()
      const reading = readBody(request, 'identity', claim)
      const outcome = expect(reading).rejects.toMatchObject({ code: 'unavailable' })
      for (let length = 1; length <= 3; length += 1) {
        send('x')
        await vi.waitFor(() => expect(claims.at(-1)).toEqual([length, 0]))
        vi.advanceTimersByTime(20_000)
      }
      vi.advanceTimersByTime(20_000)
      await outcome
      expect(vi.getTimerCount()).toBe(0)
    },
  )

  it.each([{}, { 'content-length': '6' }])(
    'takes the loss of the connection for a passing fault: %j',
    async (headers) => {
      const { request, controller } = slowRequest(headers)
      const reading = readBody(request, 'identity', () => {})
      controller.error(new Error('Network connection lost.'))
      await expect(reading).rejects.toMatchObject({ code: 'unavailable' })
    },
  )
})

describe('checkHeaders', () => {
  const types = ['application/json']
  it.each([
    [{ 'content-type': 'application/json' }, 'identity'],
    [{ 'content-type': 'Application/JSON; charset=utf-8', 'content-encoding': 'GZIP' }, 'gzip'],
    [{ 'content-type': 'application/json', 'content-length': String(MAX_WIRE_BYTES) }, 'identity'],
  ])('of %j gives %s', (headers, encoding) => {
    expect(checkHeaders(new Headers(headers), types)).toBe(encoding)
  })

  it.each([
    [{}, 'unsupported_media_type'],
    [{ 'content-type': 'text/json' }, 'unsupported_media_type'],
    [{ 'content-type': 'application/json', 'content-encoding': 'gzip, gzip' }, 'unsupported_encoding'],
    [{ 'content-type': 'application/json', 'content-length': `${MAX_WIRE_BYTES + 1}` }, 'payload_too_large'],
  ])('refuses %j as %s', (headers, code) => {
    expect(() => checkHeaders(new Headers(headers), types)).toThrow(expect.objectContaining({ code }))
  })
})
