import { once } from 'node:events'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { FuzzBody } from './bodies.ts'

export type DecodeRequest = (FuzzBody & { now: number }) | 'measure'
export type DecodeReply = { outcomes: string[] } | { fault: string } | { heldBytes: number }

const THREAD = path.join(path.dirname(fileURLToPath(import.meta.url)), 'decode-thread.ts')
/** What the tree of a body and its text may take, as in an isolate; the bytes themselves are not in the heap. */
const HEAP_MIB = 100
/** No body of 16 MiB takes a second; a hundred times less than this is usual. */
const HANG_MS = 20_000

/** Decodes bodies in a thread with the heap of an isolate; starts another when one was lost. */
export class Decoder {
  #thread: Worker | undefined

  /** How the body was taken by each format. Throws when it should not be able to do what it does. */
  async decode(body: FuzzBody, now: number): Promise<string[]> {
    const reply = await this.#ask({ ...body, now })
    if ('outcomes' in reply) return reply.outcomes
    throw new Error('fault' in reply ? reply.fault : 'no outcome')
  }

  /** What the thread holds when it does nothing. */
  async heldBytes(): Promise<number> {
    await this.decode({ bytes: new Uint8Array(), gzip: false }, 0) // its last message is one of a few bytes
    const reply = await this.#ask('measure')
    return 'heldBytes' in reply ? reply.heldBytes : Number.NaN
  }

  async stop(): Promise<void> {
    await this.#thread?.terminate()
    this.#thread = undefined
  }

  async #ask(request: DecodeRequest): Promise<DecodeReply> {
    this.#thread ??= new Worker(THREAD, {
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB },
    })
    this.#thread.postMessage(request)
    try {
      const [reply] = await once(this.#thread, 'message', { signal: AbortSignal.timeout(HANG_MS) })
      return reply
    } catch (error) {
      await this.stop()
      throw new Error('The decoders did not come back: they hang or need too much memory.', { cause: error })
    }
  }
}
