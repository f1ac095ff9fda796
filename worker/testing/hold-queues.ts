import { env } from 'cloudflare:workers'
import { expect, vi } from 'vitest'
import { consume } from './consume.ts'

const QUEUES = ['edgepulse-batches', 'edgepulse-windows'] as const
type Held = Record<(typeof QUEUES)[number], unknown[]>

/** Holds what is put on the queues back, until the test hands it to the consumers; undone with all mocks. */
export function holdQueues() {
  const held: Held = { 'edgepulse-batches': [], 'edgepulse-windows': [] }
  const hold = (body: unknown) => {
    const isFlush = typeof body === 'object' && body !== null && 'flush_id' in body
    held[isFlush ? 'edgepulse-windows' : 'edgepulse-batches'].push(body)
  }
  const prototype = Object.getPrototypeOf(env.BATCHES) // of both queues
  vi.spyOn(prototype, 'send').mockImplementation(async (body: unknown) => hold(body))
  vi.spyOn(prototype, 'sendBatch').mockImplementation(async (messages: unknown) => {
    for (const { body } of messages as Iterable<{ body: unknown }>) hold(body)
  })
  const deliver = async (...queues: (keyof Held)[]) => {
    // A message that is to be retried is not put back: it would be lost.
    for (const queue of queues) expect((await consume(queue, held[queue].splice(0))).retried).toEqual([])
  }
  return { held, deliver, deliverAll: () => deliver(...QUEUES) }
}
