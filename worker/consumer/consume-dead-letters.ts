import * as v from 'valibot'
import { become, connect, OPERATOR, ofTenant, type Sql } from '../../durable-objects/connect-database.ts'
import { errorFields, log } from '../../durable-objects/log.ts'
import { FlushMessage } from './consume-windows.ts'
import { insertDeadLetter, insertFailedBatch } from './consumer-sql.ts'
import { homeShardOf } from './home-shard.ts'
import { BatchMessage, NOT_ARCHIVED } from './load-batch.ts'
import { isGone, persist, retryLater } from './settle-failure.ts'

/** Where nobody has noted why. */
const REASON = 'the consumer gave up after repeated attempts; its log names the cause'
const NO_MESSAGE = 'it is no message of ours'

/**
 * Stores messages that failed for good, shows their batches as failed, and stops the shards from sending them
 * again. Every step can be repeated: a message is done once all of them are.
 */
export async function consumeDeadLetters(queueBatch: MessageBatch, env: Env): Promise<void> {
  const sql = connect(env)
  for (const message of queueBatch.messages) {
    try {
      await settle(sql, message.body, env)
      message.ack()
    } catch (error) {
      log('error', 'dead_letter_not_stored', { attempts: message.attempts, ...errorFields(error) })
      retryLater(message)
    }
  }
}

async function settle(sql: Sql, body: unknown, env: Env): Promise<void> {
  const batch = v.safeParse(BatchMessage, body)
  const flush = v.safeParse(FlushMessage, body)
  if (batch.success) return settleBatch(sql, batch.output, env)
  if (flush.success) return settleFlush(sql, flush.output, env)
  await persist(() => sql.transaction([become(sql, OPERATOR), insertDeadLetter(sql, null, body, NO_MESSAGE)]))
  log('error', 'dead_letter', { reason: NO_MESSAGE })
}

async function settleBatch(sql: Sql, message: BatchMessage, env: Env): Promise<void> {
  const { tenant_id, batch_id, r2_key } = message
  if (await isGone(tenant_id, env)) return
  const shard = await homeShardOf(message, env)
  const reason = (shard === undefined ? NOT_ARCHIVED : await shard.failure(batch_id)) ?? REASON
  await store(
    sql,
    () => [
      become(sql, ofTenant(tenant_id)),
      insertDeadLetter(sql, tenant_id, message, reason),
      insertFailedBatch(sql, tenant_id, batch_id, r2_key, reason),
    ],
    () => (shard ?? env.TENANT_CONTROL.getByName(tenant_id)).failBatch(batch_id, reason),
  )
  log('error', 'dead_letter', { tenant_id, batch_id, r2_key, reason })
}

async function settleFlush(sql: Sql, message: FlushMessage, env: Env): Promise<void> {
  const { tenant_id, shard, flush_id } = message
  if (await isGone(tenant_id, env)) return
  await store(
    sql,
    () => [become(sql, ofTenant(tenant_id)), insertDeadLetter(sql, tenant_id, message, REASON)],
    () => env.TENANT_SHARD.getByName(`${tenant_id}/${shard}`).failFlush(flush_id),
  )
  log('error', 'dead_letter', { tenant_id, shard, flush_id, reason: REASON })
}

/**
 * The shard lets go only of what has been stored. Stored again after that, because an operator's retry may have
 * come in between: what the shard has let go of must be in the list, or nobody would ever send it.
 */
async function store(
  sql: Sql,
  statements: () => ReturnType<typeof insertDeadLetter>[],
  letGo: () => Promise<void>,
): Promise<void> {
  await persist(() => sql.transaction(statements()))
  await letGo()
  await persist(() => sql.transaction(statements()))
}
