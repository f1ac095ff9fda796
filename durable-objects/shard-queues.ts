import { log } from './log.ts'

/** A queue takes this many messages in one call. */
const MAX_MESSAGES = 100

export interface ShardQueues {
  /** Asks the consumer again for batches whose messages got lost or were not acknowledged. */
  sendBatches(batchIds: string[]): Promise<void>
  /** Tells the consumer of flushes it can fetch. */
  sendFlushes(flushIds: number[]): Promise<void>
}

/** A shard's way to its consumers; `owner` is the part of a message that says who sends it. */
export function shardQueues(
  env: Pick<Env, 'BATCHES' | 'WINDOWS'>,
  owner: { tenant_id: string; shard: number },
  archiveKey: (batchId: string) => string,
): ShardQueues {
  const { tenant_id } = owner
  return {
    sendBatches: async (batchIds) => {
      const bodies = batchIds.map((batch_id) => ({ tenant_id, batch_id, r2_key: archiveKey(batch_id) }))
      await sendAll(env.BATCHES, bodies)
      log('warn', 'batches_sent_again', { ...owner, count: batchIds.length })
    },
    sendFlushes: (flushIds) =>
      sendAll(
        env.WINDOWS,
        flushIds.map((flush_id) => ({ ...owner, flush_id })),
      ),
  }
}

async function sendAll(queue: Queue, bodies: object[]): Promise<void> {
  for (let i = 0; i < bodies.length; i += MAX_MESSAGES) {
    await queue.sendBatch(bodies.slice(i, i + MAX_MESSAGES).map((body) => ({ body })))
  }
}
