import * as v from 'valibot'
import { connect, type Sql } from '../../durable-objects/connect-database.ts'
import type { LoadedBatch } from '../../telemetry/batch-rows.ts'
import { batchBytes, MAX_TRANSACTION_BYTES } from '../../telemetry/portions.ts'
import { errorFields, log } from '../log.ts'
import { homeShardOf } from './home-shard.ts'
import { BatchMessage, type ReadBatch, readBatch, settleBatch } from './load-batch.ts'
import { isPoison, PoisonError, reasonOf, settleFailure, settleTenantFailure } from './settle-failure.ts'
import { storeBatches } from './store-batches.ts'

/** Batches read from the archive at once: 2 × 8 MiB as sent. They are inflated and parsed one by one. */
const PARALLEL_READS = 2

interface Delivery {
  message: Message
  body: BatchMessage
}

interface Loaded extends Delivery {
  batch: LoadedBatch
}

/**
 * Stores accepted batches in Postgres, then acknowledges them to their shards. Answers per message: a batch
 * that cannot be stored takes no other with it.
 */
export async function consumeBatches(queueBatch: MessageBatch, env: Env): Promise<void> {
  const sql = connect(env)
  for (const [tenantId, deliveries] of Map.groupBy(distinct(queueBatch.messages), tenantOf)) {
    let group: Loaded[] = []
    let bytes = 0
    for (let i = 0; i < deliveries.length; i += PARALLEL_READS) {
      for (const read of await readAll(deliveries.slice(i, i + PARALLEL_READS), env)) {
        const loaded = await load(read, env)
        if (loaded === undefined) continue
        const more = batchBytes(loaded.batch.columns)
        if (bytes + more > MAX_TRANSACTION_BYTES) {
          await storeGroup(sql, tenantId, group, env)
          group = []
          bytes = 0
        }
        group.push(loaded)
        bytes += more
      }
    }
    await storeGroup(sql, tenantId, group, env)
  }
}

const tenantOf = ({ body }: Delivery) => body.tenant_id

/** One delivery a batch: a transaction may not touch a row twice, and further copies of a message add nothing. */
function distinct(messages: readonly Message[]): Delivery[] {
  const deliveries = new Map<string, Delivery>()
  for (const message of messages) {
    const parsed = v.safeParse(BatchMessage, message.body)
    if (!parsed.success) settleFailure(message, new PoisonError('not a message of ours'), {})
    else {
      const body = parsed.output
      const key = `${body.tenant_id}/${body.batch_id}`
      if (deliveries.has(key)) message.ack()
      else deliveries.set(key, { message, body })
    }
  }
  return [...deliveries.values()]
}

async function readAll(deliveries: Delivery[], env: Env): Promise<{ delivery: Delivery; read: ReadBatch }[]> {
  const all = await Promise.all(
    deliveries.map(async (delivery) => {
      try {
        const read = await readBatch(delivery.body, env)
        if (read !== 'persisted') return [{ delivery, read }]
        delivery.message.ack()
      } catch (error) {
        await fail(delivery, error, env)
      }
      return []
    }),
  )
  return all.flat()
}

async function load(
  { delivery, read }: { delivery: Delivery; read: ReadBatch },
  env: Env,
): Promise<Loaded | undefined> {
  try {
    return { ...delivery, batch: await settleBatch(read) }
  } catch (error) {
    await fail(delivery, error, env)
    return undefined
  }
}

/** Its reason is noted with the shard: when the queue gives up, whoever stores the dead letter was not there. */
async function fail({ message, body }: Delivery, error: unknown, env: Env): Promise<void> {
  const { tenant_id, batch_id } = body
  await settleTenantFailure(message, error, { tenant_id, batch_id }, env)
  if (!isPoison(error)) return
  try {
    await (await homeShardOf(body, env))?.noteFailure(batch_id, reasonOf(error))
  } catch (unnoted) {
    log('warn', 'failure_not_noted', { tenant_id, batch_id, ...errorFields(unnoted) })
  }
}

/** Should Postgres refuse a group's rows, each batch is tried alone, so that only the faulty one fails. */
async function storeGroup(sql: Sql, tenantId: string, group: Loaded[], env: Env): Promise<void> {
  if (group.length === 0) return
  const persistedAt = Date.now()
  const batches = group.map(({ batch }) => batch)
  try {
    await storeBatches(sql, tenantId, batches, persistedAt)
    await acknowledge(tenantId, batches, persistedAt, env)
    for (const { message } of group) message.ack()
  } catch (error) {
    if (isPoison(error) && group.length > 1) {
      for (const loaded of group) await storeGroup(sql, tenantId, [loaded], env)
    } else {
      for (const loaded of group) await fail(loaded, error, env)
    }
  }
}

async function acknowledge(
  tenantId: string,
  batches: LoadedBatch[],
  persistedAt: number,
  env: Env,
): Promise<void> {
  const shards = Map.groupBy(batches, ({ shard }) => shard)
  for (const [shard, ofShard] of shards) {
    const batchIds = ofShard.map(({ batchId }) => batchId)
    await env.TENANT_SHARD.getByName(`${tenantId}/${shard}`).acknowledgeBatches(batchIds, persistedAt)
  }
  for (const { batchId, columns, receivedAt } of batches) {
    const fields = { tenant_id: tenantId, batch_id: batchId, datapoints: columns.ts.length }
    log('info', 'batch_persisted', { ...fields, lag_ms: persistedAt - receivedAt })
  }
}
