import { errorFields, log } from '../../durable-objects/log.ts'
import type { BatchMessage } from '../consumer/load-batch.ts'
import { withinDeadline } from '../within-deadline.ts'

/** What a request lends: things of another request may not be used. */
export interface AnnouncerDeps {
  queue: {
    send(message: BatchMessage): Promise<unknown>
    sendBatch(messages: Iterable<{ body: BatchMessage }>): Promise<unknown>
  }
  now: () => number
  /** Lets work go on when the request is answered. */
  waitUntil: (work: Promise<void>) => void
}

const SEND_DEADLINE_MS = 1_500
/** Messages that come in while others are sent wait so long for more: the consumer waits 20 times that anyway. */
const GATHER_MS = 50
/** A queue takes this many messages in one call. */
const MAX_MESSAGES = 100
/** A request that takes messages along and is not heard of for so long was dropped by the runtime. */
const GONE_AFTER_MS = 5_000

/**
 * Sends the queue's messages for one isolate: a call for each batch while there are few, and a call for many when
 * batches come in faster than messages go out. The request that is sending then takes along those of the others,
 * who wait for nothing. What gets lost here the shard's outbox sends later.
 */
export class Announcer {
  #waiting: BatchMessage[] = []
  /** While some request takes messages along: until when that is believed. */
  #takenUntil = 0

  async announce(message: BatchMessage, { queue, now, waitUntil }: AnnouncerDeps): Promise<void> {
    if (now() < this.#takenUntil && this.#waiting.length < MAX_MESSAGES) {
      this.#waiting.push(message)
      return
    }
    this.#takenUntil = now() + GONE_AFTER_MS
    await send(() => queue.send(message), [message])
    if (this.#waiting.length > 0) waitUntil(this.#sendWaiting(queue))
    else this.#takenUntil = 0
  }

  async #sendWaiting(queue: AnnouncerDeps['queue']): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, GATHER_MS))
    const messages = this.#waiting.splice(0)
    this.#takenUntil = 0 // what comes in from now on is for the next request
    if (messages.length === 0) return // another request took them: there were too many for one call
    await send(() => queue.sendBatch(messages.map((body) => ({ body }))), messages)
  }
}

async function send(call: () => Promise<unknown>, messages: BatchMessage[]): Promise<void> {
  try {
    await withinDeadline(call(), SEND_DEADLINE_MS)
  } catch (error) {
    for (const { tenant_id, batch_id } of messages) {
      log('warn', 'queue_send_failed', { tenant_id, batch_id, ...errorFields(error) })
    }
  }
}
