import { Problem, unavailable } from '../problem.ts'
import { gunzip } from './gunzip.ts'

export const MAX_WIRE_BYTES = 8 * 1024 * 1024
export const MAX_INFLATED_BYTES = 16 * 1024 * 1024
/** However slow a sender is, some byte comes in this time. */
const SILENCE_MS = 20_000

export interface Body {
  /** As sent. */
  wire: Uint8Array<ArrayBuffer>
  /** As meant: inflated where it was sent compressed. */
  plain: Uint8Array<ArrayBuffer>
  encoding: 'identity' | 'gzip'
}

/** What the body is, in lower case and without parameters; '' where nothing is said. */
export const mediaTypeOf = (headers: Headers): string =>
  headers.get('content-type')?.split(';')[0]?.trim().toLowerCase() ?? ''

/** Checks what the headers tell before a byte of the body is read. */
export function checkHeaders(headers: Headers, contentTypes: readonly string[]): Body['encoding'] {
  if (!contentTypes.includes(mediaTypeOf(headers))) {
    throw new Problem('unsupported_media_type', `Send the batch with Content-Type: ${contentTypes[0]}.`)
  }
  const sent = headers.get('content-encoding')?.trim().toLowerCase() ?? 'identity'
  const encoding = sent === 'x-gzip' ? 'gzip' : sent // the same, by RFC 9110
  if (encoding !== 'identity' && encoding !== 'gzip') {
    throw new Problem('unsupported_encoding', 'Send the batch uncompressed or with Content-Encoding: gzip.')
  }
  if (Number(headers.get('content-length')) > MAX_WIRE_BYTES) throw batchTooLarge()
  return encoding
}

/**
 * Reads the body to its bounds. Throws 413 beyond them (a bomb stops early), 400 for broken gzip, and 503 when
 * the sender is gone or falls silent. `claim` is told beforehand of what is about to be held, and may throw.
 */
export async function readBody(
  { body, headers }: Pick<Request, 'body' | 'headers'>,
  encoding: Body['encoding'],
  claim: (wireBytes: number, inflatedBytes: number) => void,
): Promise<Body> {
  const stated = Number(headers.get('content-length')) || 0
  claim(stated, 0)
  const wire = body ? await readWire(body, stated, (length) => claim(length, 0)) : new Uint8Array()
  if (encoding === 'identity') return { wire, encoding, plain: wire }
  return { wire, encoding, plain: await inflate(wire, (length) => claim(wire.length, length)) }
}

async function readWire(
  body: ReadableStream,
  stated: number,
  onLength: (length: number) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  let received = 0
  const tell = (length: number) => {
    received = length
    onLength(length)
  }
  const reading =
    stated > 0 && stated <= MAX_WIRE_BYTES
      ? readStated(body, stated, tell)
      : readBounded(body, MAX_WIRE_BYTES, batchTooLarge, tell)
  const silence = untilSilent(() => received)
  try {
    return await Promise.race([reading, silence.rejects])
  } catch (error) {
    throw error instanceof Problem ? error : unavailable(error)
  } finally {
    silence.callOff()
  }
}

/**
 * Into an array of the length that the headers state, which the runtime holds senders to: it then hands over all
 * that has come, and not 4 KiB at a time. For a megabyte that is a fifth of the time.
 */
async function readStated(
  body: ReadableStream,
  length: number,
  onLength: (length: number) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const reader = body.getReader({ mode: 'byob' })
  let buffer = new ArrayBuffer(length)
  let received = 0
  try {
    while (received < length) {
      const { done, value } = await reader.read(new Uint8Array(buffer, received))
      if (done) throw new Error('the body is shorter than its Content-Length')
      buffer = value.buffer
      received += value.byteLength
      onLength(received)
    }
  } finally {
    reader.releaseLock()
  }
  return new Uint8Array(buffer)
}

/** Connections that are dead and not closed look like this: without an end they would hold what they have sent. */
function untilSilent(received: () => number) {
  let seen = 0
  let timer: ReturnType<typeof setInterval> | undefined
  const rejects = new Promise<never>((_, reject) => {
    timer = setInterval(() => {
      if (received() === seen) reject(unavailable(new Error('the sender fell silent')))
      seen = received()
    }, SILENCE_MS)
  })
  return { rejects, callOff: () => clearInterval(timer) }
}

/** Also what the consumer reads the archive with. */
export async function inflate(
  gzipped: Uint8Array<ArrayBuffer>,
  onLength: (length: number) => void = () => {},
): Promise<Uint8Array<ArrayBuffer>> {
  const inflated = gunzip(gzipped)
  try {
    return await readBounded(inflated, MAX_INFLATED_BYTES, batchTooLarge, onLength)
  } catch (error) {
    inflated.cancel().catch(() => {})
    if (error instanceof Problem) throw error
    throw new Problem(
      'invalid_json',
      'The body is not valid gzip; compress it again or send it uncompressed.',
    )
  }
}

/**
 * The stream's bytes; throws `tooLarge()` beyond `maxBytes`, having read no more than that and a chunk. The rest
 * stays where it is.
 */
export async function readBounded(
  stream: ReadableStream,
  maxBytes: number,
  tooLarge: () => Problem,
  onLength: (length: number) => void = () => {},
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = []
  let length = 0
  const reader: ReadableStreamDefaultReader<Uint8Array> = stream.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      length += value.byteLength
      if (length > maxBytes) throw tooLarge()
      onLength(length)
      chunks.push(value)
    }
  } finally {
    reader.releaseLock()
  }
  const whole = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.byteLength
  }
  return whole
}

const batchTooLarge = () =>
  new Problem(
    'payload_too_large',
    `A batch has at most ${MAX_WIRE_BYTES} bytes on the wire and ${MAX_INFLATED_BYTES} inflated; send smaller batches.`,
  )
