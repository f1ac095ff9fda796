import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FuzzBody } from './bodies.ts'

export type DecodeRequest = (FuzzBody & { now: number }) | 'measure'
export type DecodeReply = { outcomes: string[] } | { fault: string } | { heldBytes: number }

const PROGRAM = path.join(path.dirname(fileURLToPath(import.meta.url)), 'decode-process.ts')
/** What the tree of a body and its text may take, as in an isolate; the bytes themselves are not in the heap. */
const HEAP_MIB = 100
/** No body of 16 MiB takes a second; a hundred times less than this is usual. */
const HANG_MS = 20_000

/** Decodes bodies in a process with the heap of an isolate; starts another when one was lost. */
export class Decoder {
  #process: ChildProcess | undefined

  /** How the body was taken by each format. Throws when it should not be able to do what it does. */
  async decode(body: FuzzBody, now: number): Promise<string[]> {
    const reply = await this.#ask({ ...body, now })
    if ('outcomes' in reply) return reply.outcomes
    throw new Error('fault' in reply ? reply.fault : 'no outcome')
  }

  /** What the process holds when it does nothing. */
  async heldBytes(): Promise<number> {
    await this.decode({ bytes: new Uint8Array(), gzip: false }, 0) // its last message is one of a few bytes
    const reply = await this.#ask('measure')
    return 'heldBytes' in reply ? reply.heldBytes : Number.NaN
  }

  stop(): void {
    this.#process?.kill('SIGKILL')
    this.#process = undefined
  }

  async #ask(request: DecodeRequest): Promise<DecodeReply> {
    const child = this.#running()
    const over = new AbortController()
    const lost = once(child, 'exit', over).then(([code, signal]) => {
      throw new Error(`ended with ${code ?? signal}`)
    })
    const late = AbortSignal.any([over.signal, AbortSignal.timeout(HANG_MS)])
    try {
      child.send(request)
      const [reply] = await Promise.race([once(child, 'message', { signal: late }), lost])
      return reply
    } catch (error) {
      this.stop()
      throw new Error('The decoders did not come back: they hang or need too much memory.', { cause: error })
    } finally {
      lost.catch(() => {})
      over.abort()
    }
  }

  #running(): ChildProcess {
    this.#process ??= fork(PROGRAM, {
      execArgv: [`--max-old-space-size=${HEAP_MIB}`, '--no-warnings'],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    })
    return this.#process
  }
}
