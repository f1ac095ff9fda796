import { Problem } from '../problem.ts'
import { gunzip } from './gunzip.ts'

export const MAX_WIRE_BYTES = 8 * 1024 * 1024
export const MAX_INFLATED_BYTES = 16 * 1024 * 1024

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

/** Reads the body to its bounds. Throws 413 beyond them (a bomb stops early) and 400 for broken gzip. */
export async function readBody(request: Request, encoding: Body['encoding']): Promise<Body> {
  const wire = request.body
    ? await readBounded(request.body, MAX_WIRE_BYTES, batchTooLarge)
    : new Uint8Array()
  return { wire, encoding, plain: encoding === 'gzip' ? await inflate(wire) : wire }
}

/** Also what the consumer reads the archive with. */
export async function inflate(gzipped: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const inflated = gunzip(gzipped)
  try {
    return await readBounded(inflated, MAX_INFLATED_BYTES, batchTooLarge)
  } catch (error) {
    if (error instanceof Problem) throw error
    throw new Problem(
      'invalid_json',
      'The body is not valid gzip; compress it again or send it uncompressed.',
    )
  }
}

/** The stream's bytes; throws `tooLarge()` beyond `maxBytes`, having read no more than that and a chunk. */
export async function readBounded(
  stream: ReadableStream,
  maxBytes: number,
  tooLarge: () => Problem,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = []
  let length = 0
  const reader: ReadableStreamDefaultReader<Uint8Array> = stream.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    length += value.byteLength
    if (length > maxBytes) {
      await reader.cancel().catch(() => {})
      throw tooLarge()
    }
    chunks.push(value)
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
