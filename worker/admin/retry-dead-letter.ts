import type { Context } from 'hono'
import * as v from 'valibot'
import { ofTenant } from '../../durable-objects/connect-database.ts'
import type { Retry } from '../../durable-objects/outbox.ts'
import type { AppEnv } from '../app-env.ts'
import { FlushMessage } from '../consumer/consume-windows.ts'
import { homeShardOf } from '../consumer/home-shard.ts'
import { BatchMessage } from '../consumer/load-batch.ts'
import { isGone } from '../consumer/settle-failure.ts'
import { queryAs } from '../database.ts'
import { withinDeadline } from '../within-deadline.ts'
import { type LetterRow, removeDeadLetter } from './dead-letters-sql.ts'

/** What became of a letter: its message is on its way, has nothing left to do, or cannot be sent. */
export const OUTCOMES = ['sent', 'cleared', 'kept'] as const

export const OurMessage = v.union([BatchMessage, FlushMessage])

interface Outcome {
  outcome: (typeof OUTCOMES)[number]
  detail: string
}

const OF_RETRY: Record<Retry, Outcome> = {
  sent: {
    outcome: 'sent',
    detail: 'It is on its way to the database again; should it fail again, it is back here.',
  },
  stored: { outcome: 'cleared', detail: 'It has been stored meanwhile.' },
  unknown: {
    outcome: 'kept',
    detail: 'Its shard does not know the batch: it was never accepted, or is forgotten.',
  },
}
const DELETED: Outcome = { outcome: 'cleared', detail: 'Its tenant was deleted.' }
const NOT_OURS: Outcome = { outcome: 'kept', detail: 'It is no message of ours; nobody could read it.' }
const NOT_ARCHIVED: Outcome = {
  outcome: 'kept',
  detail: 'The archive does not hold the batch; put its object back, with its metadata, and retry.',
}

/**
 * Has the shard take back what it let go of and send it, then removes the letter: in that order, so that after a
 * crash in between the letter is still there, and another retry does no more than send once more.
 */
export async function retryDeadLetter(c: Context<AppEnv>, letter: LetterRow): Promise<Outcome> {
  const outcome = await withinDeadline(retry(letter.body, c.env))
  if (outcome.outcome !== 'kept' && letter.tenantId !== null) {
    await queryAs(c.env, ofTenant(letter.tenantId), removeDeadLetter(letter))
  }
  return outcome
}

async function retry(body: unknown, env: Env): Promise<Outcome> {
  const message = v.safeParse(OurMessage, body)
  if (!message.success) return NOT_OURS
  const { tenant_id } = message.output
  if (await isGone(tenant_id, env)) return DELETED
  if ('batch_id' in message.output) {
    const shard = await homeShardOf(message.output, env)
    return shard === undefined ? NOT_ARCHIVED : OF_RETRY[await shard.retryBatch(message.output.batch_id)]
  }
  const { shard, flush_id } = message.output
  return OF_RETRY[await env.TENANT_SHARD.getByName(`${tenant_id}/${shard}`).retryFlush(flush_id)]
}
