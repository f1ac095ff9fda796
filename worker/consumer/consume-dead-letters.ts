import * as v from 'valibot'
import { connect, type Sql } from '../../durable-objects/connect-database.ts'
import { metadataOf } from '../ingest/archive.ts'
import { errorFields, log } from '../log.ts'
import { FlushMessage } from './consume-windows.ts'
import { insertDeadLetter, insertFailedBatch } from './consumer-sql.ts'
import { BatchMessage } from './load-batch.ts'
import { persist, retryLater } from './settle-failure.ts'

const REASON = 'the consumer gave up after repeated attempts; its log names the cause'

/** Stores messages that failed for good and shows their batches as failed. */
export async function consumeDeadLetters(queueBatch: MessageBatch, env: Env): Promise<void> {
  const sql = connect(env)
  for (const message of queueBatch.messages) {
    try {
      await store(sql, message.body, env)
      message.ack()
    } catch (error) {
      log('error', 'dead_letter_not_stored', { attempts: message.attempts, ...errorFields(error) })
      retryLater(message)
    }
  }
}

async function store(sql: Sql, body: unknown, env: Env): Promise<void> {
  const batch = v.safeParse(BatchMessage, body)
  const flush = v.safeParse(FlushMessage, body)
  const tenantId = batch.success ? batch.output.tenant_id : flush.success ? flush.output.tenant_id : null
  await persist(sql.transaction([insertDeadLetter(sql, tenantId, body, REASON)]))
  if (batch.success) await failBatch(sql, batch.output, env)
  log('error', 'dead_letter', { ...(tenantId !== null && { tenant_id: tenantId }), body })
}

async function failBatch(sql: Sql, { tenant_id, batch_id, r2_key }: BatchMessage, env: Env): Promise<void> {
  await persist(sql.transaction([insertFailedBatch(sql, tenant_id, batch_id, r2_key, REASON)]))
  const object = await env.ARCHIVE.head(r2_key)
  if (object === null) return
  const shard = env.TENANT_SHARD.getByName(`${tenant_id}/${metadataOf(object).home_shard}`)
  await shard.failBatch(batch_id, REASON)
}
