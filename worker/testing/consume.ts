import { createExecutionContext, createMessageBatch, getQueueResult } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { expect, vi } from 'vitest'
import worker from '../index.ts'
import { sql } from './owner-sql.ts'
import type { TestTenant } from './tenant.ts'

/** Hands bodies to a consumer as one queue batch and tells what became of each. */
export async function consume(queue: string, bodies: unknown[], { attempts = 1, bindings = env } = {}) {
  const messages = bodies.map((body, i) => ({ id: `m${i}`, timestamp: new Date(), attempts, body }))
  const batch = createMessageBatch(queue, messages)
  const context = createExecutionContext()
  await worker.queue(batch, bindings)
  const result = await getQueueResult(batch, context)
  return {
    acked: result.explicitAcks,
    retried: result.retryMessages.map(({ msgId }: { msgId: string }) => msgId),
  }
}

/** The message that announces a batch. */
export const batchMessage = (tenant: TestTenant, batchId: string) => ({
  ...{ tenant_id: tenant.id, batch_id: batchId, r2_key: `raw/${tenant.id}/${batchId}` },
})

/** How many rows a tenant has. */
export async function rowsOf(tenant: TestTenant) {
  const [row] = await sql`select
    (select count(*)::int from datapoints where tenant_id = ${tenant.id}) as datapoints,
    (select count(*)::int from batches where tenant_id = ${tenant.id} and status = 'persisted') as batches,
    (select count(*)::int from devices where tenant_id = ${tenant.id}) as devices,
    (select count(*)::int from metrics where tenant_id = ${tenant.id}) as metrics,
    (select coalesce(sum(count), 0)::int from window_aggregates where tenant_id = ${tenant.id}) as windowed`
  return row
}

/** Waits until a batch is persisted. */
export async function persisted(tenant: TestTenant, batchId: string): Promise<void> {
  await vi.waitFor(
    async () => {
      const batch = await (await tenant.get(`/v1/batches/${batchId}`)).json<{ status: string }>()
      expect(batch.status).toBe('persisted')
    },
    { timeout: 20_000, interval: 100 },
  )
}

/** A tenant whose accepted batches stay in the outbox: its queue messages do not get through. */
export async function withoutQueue<T>(work: () => Promise<T>): Promise<T> {
  const send = vi
    .spyOn(Object.getPrototypeOf(env.BATCHES), 'send')
    .mockRejectedValue(new Error('queue is away'))
  try {
    return await work()
  } finally {
    send.mockRestore()
  }
}

/** Queues take nothing, neither from the Worker nor from the objects. */
export async function withoutQueues<T>(work: () => Promise<T>): Promise<T> {
  const sendBatch = vi
    .spyOn(Object.getPrototypeOf(env.BATCHES), 'sendBatch')
    .mockRejectedValue(new Error('queue is away'))
  try {
    return await withoutQueue(work)
  } finally {
    sendBatch.mockRestore()
  }
}
