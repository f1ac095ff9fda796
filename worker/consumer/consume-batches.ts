import * as v from 'valibot'
import { connect, type Sql } from '../../durable-objects/connect-database.ts'
import { errorFields, log } from '../../durable-objects/log.ts'
import type { LoadedBatch } from '../../telemetry/batch-rows.ts'
import { isSampled } from '../../telemetry/log-line.ts'
import { measure } from '../../telemetry/metric-point.ts'
import { BatchGroups } from './batch-groups.ts'
import { homeShardOf } from './home-shard.ts'
import { BatchMessage, loadBatch, type ReadLimits, readLimits } from './load-batch.ts'
import { isPoison, PoisonError, reasonOf, settleFailure, settleTenantFailure } from './settle-failure.ts'
import { storeBatches } from './store-batches.ts'

/** As many connections of a Worker may wait for an answer; more would stand in line. */
const PARALLEL_READS = 6
/** Each with a group that is gathered and one that is stored. */
const PARALLEL_TENANTS = 2

interface Delivery {
  message: Message
  body: BatchMessage
}

interface Loaded extends Delivery {
  batch: LoadedBatch
}

/** Before it was loaded or after. */
type Failed = Delivery & Partial<Loaded>

/**
 * Stores accepted batches in Postgres, then acknowledges them to their shards. Answers per message: a batch
 * that cannot be stored takes no other with it.
 */
export async function consumeBatches(queueBatch: MessageBatch, env: Env): Promise<void> {
  const sql = connect(env)
  const limits = readLimits()
  const tenants = Map.groupBy(distinct(queueBatch.messages), tenantOf).entries()
  await atOnce(PARALLEL_TENANTS, tenants, async ([tenantId, deliveries]) => {
    const groups = new BatchGroups<Loaded>((group) => storeGroup(sql, tenantId, group, env))
    await atOnce(PARALLEL_READS, deliveries.values(), async (delivery) => {
      const loaded = await load(delivery, limits, env)
      if (loaded !== undefined) await groups.add(loaded)
    })
    await groups.finish()
  })
}

/** Does the work for every item, for at most `limit` of them at once. */
async function atOnce<T>(
  limit: number,
  items: IteratorObject<T>,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const workThroughThem = async () => {
    for (const item of items) await work(item)
  }
  await Promise.all(Array.from({ length: limit }, workThroughThem))
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

/** Undefined where there is nothing to store, and the message is answered. */
async function load(delivery: Delivery, limits: ReadLimits, env: Env): Promise<Loaded | undefined> {
  try {
    const batch = await loadBatch(delivery.body, limits, env)
    if (batch !== 'persisted') return { ...delivery, batch }
    delivery.message.ack()
  } catch (error) {
    await fail(delivery, error, env)
  }
  return undefined
}

/** Its reason is noted with the shard: when the queue gives up, whoever stores the dead letter was not there. */
async function fail({ message, body, batch }: Failed, error: unknown, env: Env): Promise<void> {
  const { tenant_id, batch_id } = body
  const trace = batch?.traceId ? { trace_id: batch.traceId } : {}
  await settleTenantFailure(message, error, { tenant_id, batch_id, ...trace }, env)
  const outcome = isPoison(error) ? 'failed' : 'postponed'
  measure(env.METRICS, { kind: 'store', tenantId: tenant_id, outcome, batches: 1 })
  if (!isPoison(error)) return
  try {
    await (await homeShardOf(body, env))?.noteFailure(batch_id, reasonOf(error))
  } catch (unnoted) {
    log('warn', 'failure_not_noted', { tenant_id, batch_id, ...errorFields(unnoted) })
  }
}

/** Should Postgres refuse a group's rows, each batch is tried alone, so that only the faulty one fails. */
async function storeGroup(sql: Sql, tenantId: string, group: Loaded[], env: Env): Promise<void> {
  const persistedAt = Date.now()
  const batches = group.map(({ batch }) => batch)
  try {
    await storeBatches(sql, tenantId, batches, persistedAt)
    await acknowledge(tenantId, batches, persistedAt, env)
    for (const { message } of group) message.ack()
    measureStored(tenantId, batches, persistedAt, env)
    logStored(tenantId, batches, persistedAt, env)
  } catch (error) {
    if (isPoison(error) && group.length > 1) {
      for (const loaded of group) await storeGroup(sql, tenantId, [loaded], env)
    } else {
      for (const loaded of group) await fail(loaded, error, env)
    }
  }
}

function measureStored(tenantId: string, batches: LoadedBatch[], startedAt: number, env: Env): void {
  const now = Date.now()
  measure(env.METRICS, {
    ...{ kind: 'store', tenantId, outcome: 'persisted', batches: batches.length },
    datapoints: batches.reduce((sum, { columns }) => sum + columns.ts.length, 0),
    durationMs: now - startedAt,
    lagMs: batches.reduce((longest, { receivedAt }) => Math.max(longest, now - receivedAt), 0),
  })
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
}

/** A batch of before, of which no trace is known, is always told. */
function logStored(tenantId: string, batches: LoadedBatch[], persistedAt: number, env: Env): void {
  const rate = Number(env.LOG_SAMPLE_RATE)
  for (const { batchId, columns, receivedAt, traceId } of batches) {
    if (traceId && !isSampled(traceId, rate)) continue
    log('info', 'batch_persisted', {
      ...{
        tenant_id: tenantId,
        batch_id: batchId,
        ...(traceId && { trace_id: traceId }),
        outcome: 'persisted',
      },
      ...{ datapoints: columns.ts.length, lag_ms: persistedAt - receivedAt },
    })
  }
}
