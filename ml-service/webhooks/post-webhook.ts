import { type Dispatcher, request } from 'undici'
import { isPublicAddress, literalAddress } from '../../telemetry/public-address.ts'
import { messageOf } from '../log.ts'

const TIMEOUT_MS = 15_000
const MAX_RESPONSE_BYTES = 64 * 1024

/** What came of one POST; `status` is null where no whole answer came. */
export interface PostResult {
  status: number | null
  error: string | null
}

export interface PostOptions {
  dispatcher: Dispatcher
  /** Also allows `http:`. */
  allowPrivate: boolean
  /** Default 15 s, from the first byte sent to the last one read. */
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
  if (refusal !== undefined) return { status: null, error: refusal }
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS
  try {
    const signal = AbortSignal.timeout(timeoutMs)
    const { dispatcher } = options
    const answer = await request(url, { method: 'POST', headers, body, dispatcher, signal })
    await drain(answer.body)
    return { status: answer.statusCode, error: errorOf(answer.statusCode) }
  } catch (error) {
    return { status: null, error: failureOf(error, timeoutMs) }
  }
}

/** What the URL itself tells; the agent checks what its name leads to. */
function refusalOf(text: string, allowPrivate: boolean): string | undefined {
  if (!URL.canParse(text)) return 'the URL cannot be read'
  const url = new URL(text)
  if (url.protocol !== 'https:' && !(allowPrivate && url.protocol === 'http:')) return 'the URL is not https:'
  if (url.username !== '' || url.password !== '') return 'the URL carries user information'
  const address = literalAddress(url.hostname)
  if (address !== undefined && !allowPrivate && !isPublicAddress(address)) {
    return `${address} is not a public address`
  }
  return undefined
}

/** Reads to the end, so that the connection can be used again, unless that is more than an answer needs. */
async function drain(body: AsyncIterable<Buffer>): Promise<void> {
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > MAX_RESPONSE_BYTES) return // leaving the loop destroys the stream
  }
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
