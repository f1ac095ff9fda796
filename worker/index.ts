import { app } from './app.ts'
import { consumeBatches } from './consumer/consume-batches.ts'
import { consumeDeadLetters } from './consumer/consume-dead-letters.ts'
import { consumeWindows } from './consumer/consume-windows.ts'

export { TenantControl } from '../durable-objects/tenant-control.ts'
export { TenantShard } from '../durable-objects/tenant-shard.ts'

const CONSUMERS: Record<string, (batch: MessageBatch, env: Env) => Promise<void>> = {
  'edgepulse-batches': consumeBatches,
  'edgepulse-windows': consumeWindows,
  'edgepulse-dlq': consumeDeadLetters,
}

export default {
  fetch: app.fetch,
  async queue(batch, env) {
    const consume = CONSUMERS[batch.queue.replace(/-staging$/, '')]
    if (consume === undefined) throw new Error(`no consumer for queue ${batch.queue}`)
    await consume(batch, env)
  },
} satisfies ExportedHandler<Env>
