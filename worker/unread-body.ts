import type { Context, Next } from 'hono'
import type { AppEnv } from './app-env.ts'

/** Twice what the largest batch may have. */
const MAX_DISCARDED_BYTES = 16 * 1024 * 1024
const MAX_DISCARDING_MS = 10_000

/**
 * Lets the sender of a body that was refused unread hear why. The runtime resets a connection whose request was
 * not read to its end, and a client that is still sending then finds an error instead of the answer. So the whole
 * answer goes out at once, and the rest of the body is thrown away before the response ends, within bounds.
 */
export async function discardUnread(c: Context<AppEnv>, next: Next): Promise<void> {
  await next()
  const { body } = c.req.raw
  if (c.res.status < 400 || body === null || body.locked) return
  const answer = new Uint8Array(await c.res.arrayBuffer())
  // A known length: the client has the answer when it has that many bytes, before the response ends.
  const { readable, writable } = new FixedLengthStream(answer.byteLength)
  answerThenDiscard(writable, answer, body).catch(() => {}) // the client is gone
  c.res = new Response(readable, c.res)
}

async function answerThenDiscard(
  writable: WritableStream<Uint8Array>,
  answer: Uint8Array,
  body: ReadableStream<Uint8Array>,
): Promise<void> {
  const writer = writable.getWriter()
  await writer.write(answer)
  const reader = body.getReader()
  const timer = setTimeout(() => reader.cancel().catch(() => {}), MAX_DISCARDING_MS)
  try {
    for (let discarded = 0; discarded <= MAX_DISCARDED_BYTES; ) {
      const { done, value } = await reader.read()
      if (done) break
      discarded += value.byteLength
    }
  } finally {
    clearTimeout(timer)
    reader.cancel().catch(() => {})
    await writer.close()
  }
}
