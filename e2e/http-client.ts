import { type OutgoingHttpHeaders, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

/** How a body is sent: with its length, in chunks, with less than was announced before the end, with more, … */
export const FRAMINGS = ['length', 'chunked', 'cut off', 'reset', 'too short', 'odd length'] as const
export type Framing = (typeof FRAMINGS)[number]

export interface Sending {
  method: string
  headers: OutgoingHttpHeaders
  /** Sent piece by piece. */
  body?: Uint8Array[]
  framing?: Framing
}

export interface Answer {
  status: number
  headers: NodeJS.Dict<string | string[]>
  text: string
}

const ANSWER_WITHIN_MS = 30_000
/** By then the request has reached the Worker. */
const UNTIL_GONE_MS = 150

/** Sends as no well-behaved client lets one. undefined: the connection ended without an answer. */
export async function send(url: string, sending: Sending): Promise<Answer | undefined> {
  const { method, headers, body = [], framing = 'length' } = sending
  const length = body.reduce((sum, piece) => sum + piece.byteLength, 0)
  const outgoing = request(url, {
    method,
    agent: false,
    headers: { ...headers, ...lengthOf(framing, length) },
  })
  const answer = new Promise<Answer | undefined>((resolve, reject) => {
    outgoing.setTimeout(ANSWER_WITHIN_MS, () => outgoing.destroy(new Error('TIMEOUT')))
    outgoing.once('error', (error) => (error.message === 'TIMEOUT' ? reject(error) : resolve(undefined)))
    outgoing.once('response', (response) => {
      response.setEncoding('utf8')
      response.toArray().then(
        (parts) => resolve({ status: response.statusCode!, headers: response.headers, text: parts.join('') }),
        () => resolve(undefined),
      )
    })
  })
  for (const piece of body) outgoing.write(piece)
  const isShort = framing === 'reset' || framing === 'cut off'
  if (!isShort) outgoing.end()
  if (isShort) await Promise.race([answer, sleep(UNTIL_GONE_MS)])
  if (framing === 'reset') outgoing.socket?.resetAndDestroy()
  if (framing === 'cut off') outgoing.socket?.end()
  return await answer
}

function lengthOf(framing: Framing, length: number): OutgoingHttpHeaders {
  if (framing === 'chunked') return { 'transfer-encoding': 'chunked' }
  if (framing === 'cut off' || framing === 'reset') return { 'content-length': length + 1000 }
  if (framing === 'too short') return { 'content-length': Math.max(0, length - 1) }
  if (framing === 'odd length') return { 'content-length': '1e3' }
  return { 'content-length': length }
}
