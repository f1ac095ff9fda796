import { type Dispatcher, request } from 'undici'
import { messageOf } from '../log.ts'

const TIMEOUT_MS = 15_000
const MAX_RESPONSE_BYTES = 64 * 1024
/** What is kept of an answer for people to see. */
const KEPT_CHARACTERS = 500

/** What came of one POST; `status` and `response` are null where no answer came. */
export interface PostResult {
  status: number | null
  error: string | null
  /** The first characters of the answer's body, without control characters. */
  response: string | null
  /** As the receiver sent it. */
  retryAfter: string | undefined
  /** Set where nothing was sent through a fault of ours: it tells nothing of the receiver. */
  unsent?: true
}

export const notPosted = (error: string): PostResult => ({
  status: null,
  error,
  response: null,
  retryAfter: undefined,
})

export interface PostOptions {
  /** Checks the addresses it connects to. */
  dispatcher: Dispatcher
  /** Also allows `http:`. */
  allowPrivate: boolean
  /** Default 15 s, from the first byte sent to the last one read. What comes later is not waited for. */
  timeoutMs?: number
}

/** Sends one signed message. Follows no redirect, reads 64 KiB of the answer at most, never throws. */
export async function postWebhook(
  url: string,
  headers: Record<string, string>,
  body: string,
  options: PostOptions,
): Promise<PostResult> {
  const refusal = refusalOf(url, options.allowPrivate)
  if (refusal !== undefined) return notPosted(refusal)
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS
  try {
    const signal = AbortSignal.timeout(timeoutMs)
    const { dispatcher } = options
    const answer = await request(url, { method: 'POST', headers, body, dispatcher, signal })
    const { statusCode: status } = answer
    const response = await readStart(answer.body)
    const retryAfter = answer.headers['retry-after']
    return {
      status,
      error: errorOf(status),
      response,
      retryAfter: Array.isArray(retryAfter) ? retryAfter[0] : retryAfter,
    }
  } catch (error) {
    return notPosted(failureOf(error, timeoutMs))
  }
}

/** What the URL itself tells; the agent checks where it leads. */
function refusalOf(text: string, allowPrivate: boolean): string | undefined {
  if (!URL.canParse(text)) return 'the URL cannot be read'
  const url = new URL(text)
  if (url.protocol !== 'https:' && !(allowPrivate && url.protocol === 'http:')) return 'the URL is not https:'
  if (url.username !== '' || url.password !== '') return 'the URL carries user information'
  return undefined
}

/**
 * Reads to the end, so that the connection can be used again, unless that is more than an answer needs or takes longer
 * than it may: the status has said what became of the message.
 */
async function readStart(body: AsyncIterable<Buffer>): Promise<string> {
  const start: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of body) {
      if (bytes < 4 * KEPT_CHARACTERS) start.push(chunk.subarray(0, 4 * KEPT_CHARACTERS))
      bytes += chunk.length
      if (bytes > MAX_RESPONSE_BYTES) break // leaving the loop destroys the stream
    }
  } catch {
    // Cut off: what came is kept.
  }
  // Postgres stores no NUL in JSON, and no terminal should obey what a receiver says.
  const text = Buffer.concat(start)
    .toString('utf8')
    .replace(/\p{Cc}/gu, ' ')
  return [...text].slice(0, KEPT_CHARACTERS).join('')
}

function errorOf(status: number): string | null {
  if (status >= 200 && status < 300) return null
  if (status >= 300 && status < 400) return `answered ${status}: redirects are not followed`
  return `answered ${status}`
}

function failureOf(error: unknown, timeoutMs: number): string {
  if (error instanceof Error && error.name === 'TimeoutError') return `no answer within ${timeoutMs / 1000} s`
  return messageOf(error)
}
