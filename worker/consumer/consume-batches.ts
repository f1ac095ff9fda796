import * as v from 'valibot'
import { connect, type Sql } from '../../durable-objects/connect-database.ts'
import { log } from '../log.ts'
import { batchRows } from './batch-rows.ts'
import { insertBatches, insertDatapoints, upsertDevices, upsertMetrics } from './consumer-sql.ts'
import { BatchMessage, type LoadedBatch, loadBatch } from './load-batch.ts'
import { PoisonError, persist, settleFailure } from './settle-failure.ts'

/** A transaction holds at most about this many datapoints: some 5 MiB of Neon's HTTP body, whose proxy takes 10. */
const GROUP_DATAPOINTS = 100_000
/** Batches read from the archive at once: 2 × 16 MiB inflated stays well within an isolate's 128 MB. */
const PARALLEL_READS = 2

interface Delivery {
  message: Message
  batch: LoadedBatch
}

/**
 * Stores accepted batches in Postgres, then acknowledges them to their shards. Answers per message: a batch
 * that cannot be stored takes no other with it.
 */
export async function consumeBatches(queueBatch: MessageBatch, env: Env): Promise<void> {
  const sql = connect(env)
  for (const [tenantId, messages] of byTenant(queueBatch.messages)) {
    let group: Delivery[] = []
    let datapoints = 0
    for (let i = 0; i < messages.length; i += PARALLEL_READS) {
      for (const delivery of await loadAll(messages.slice(i, i + PARALLEL_READS), env)) {
        group.push(delivery)
        datapoints += delivery.batch.columns.ts.length
      }
      if (datapoints < GROUP_DATAPOINTS) continue
      await storeGroup(sql, tenantId, group, env)
      group = []
      datapoints = 0
    }
    await storeGroup(sql, tenantId, group, env)
  }
}

function byTenant(messages: readonly Message[]): Map<string, Message[]> {
  const tenants = new Map<string, Message[]>()
  for (const message of messages) {
    const parsed = v.safeParse(BatchMessage, message.body)
    if (!parsed.success) settleFailure(message, new PoisonError('not a message of ours'), {})
    else tenants.set(parsed.output.tenant_id, [...(tenants.get(parsed.output.tenant_id) ?? []), message])
  }
  return tenants
}

async function loadAll(messages: Message[], env: Env): Promise<Delivery[]> {
  const loaded = await Promise.all(
    messages.map(async (message) => {
      const body = v.parse(BatchMessage, message.body)
      try {
        return [{ message, batch: await loadBatch(body, env) }]
      } catch (error) {
        settleFailure(message, error, { tenant_id: body.tenant_id, batch_id: body.batch_id })
        return []
      }
    }),
  )
  return loaded.flat()
}

/** Should Postgres refuse a group's rows, each batch is tried alone, so that only the faulty one fails. */
async function storeGroup(sql: Sql, tenantId: string, group: Delivery[], env: Env): Promise<void> {
  if (group.length === 0) return
  const persistedAt = Date.now()
  const batches = group.map(({ batch }) => batch)
  try {
    await persist(storeBatches(sql, tenantId, batches, persistedAt))
    await acknowledge(tenantId, batches, persistedAt, env)
    for (const { message } of group) message.ack()
  } catch (error) {
    if (error instanceof PoisonError && group.length > 1) {
      for (const delivery of group) await storeGroup(sql, tenantId, [delivery], env)
    } else {
      for (const { message, batch } of group) {
        settleFailure(message, error, { tenant_id: tenantId, batch_id: batch.batchId })
      }
    }
  }
}

async function storeBatches(
  sql: Sql,
  tenantId: string,
  batches: LoadedBatch[],
  persistedAt: number,
): Promise<void> {
  const rows = batchRows(tenantId, batches)
  await sql.transaction([
    upsertDevices(sql, tenantId, rows.devices),
    upsertMetrics(sql, tenantId, rows.metrics),
    insertDatapoints(sql, tenantId, rows.metrics.id, rows.datapoints),
    insertBatches(sql, tenantId, batches, persistedAt),
  ])
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
    const lag_ms = persistedAt - receivedAt
    log('info', 'batch_persisted', {
      tenant_id: tenantId,
      batch_id: batchId,
      datapoints: columns.ts.length,
      lag_ms,
    })
  }
}
