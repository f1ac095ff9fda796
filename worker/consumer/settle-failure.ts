import { backoffMs } from '../../durable-objects/backoff.ts'
import { errorFields, log } from '../../durable-objects/log.ts'
import { BatchRefusal } from '../../telemetry/batch-refusal.ts'
import type { LogFields } from '../../telemetry/log-line.ts'
import { isPassing } from '../database.ts'
import { Problem } from '../problem.ts'

const RETRY_BASE_MS = 5_000
const RETRY_CAP_MS = 300_000

/** Tries of a message that failed for a passing reason, before it is left to the shard to send it again. */
const PASSING_ATTEMPTS = 3

/** A failure that lies in the message itself, as opposed to everything that may pass. */
export class PoisonError extends Error {
  override name = 'PoisonError'
}

/** Runs transactions; a failure that will not pass by itself comes out as a PoisonError. */
export async function persist(work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (error) {
    throw isPassing(error) ? error : new PoisonError('Postgres refused the rows', { cause: error })
  }
}

/**
 * After a failure. A message that is itself at fault is tried a few times and ends on the dead letter queue.
 * What may pass (Postgres away, a shard restarting) is tried again soon, then let go: the shard still holds
 * the batch or flush and sends it again with backoff for as long as it takes, so an outage uses up no attempts.
 */
export function settleFailure(message: Message, error: unknown, fields: LogFields): void {
  const poison = isPoison(error)
  log(poison ? 'error' : 'warn', poison ? 'consume_failed' : 'consume_postponed', {
    attempts: message.attempts,
    ...fields,
    ...errorFields(error),
  })
  if (!poison && message.attempts > PASSING_ATTEMPTS) message.ack()
  else retryLater(message)
}

export function retryLater(message: Message): void {
  const delayMs = backoffMs(message.attempts - 1, RETRY_BASE_MS, RETRY_CAP_MS, Math.random)
  message.retry({ delaySeconds: Math.ceil(delayMs / 1000) })
}

/** Whether trying again cannot help. An archived batch that no longer parses is at fault, and so is our own code. */
export const isPoison = (error: unknown): boolean =>
  error instanceof PoisonError ||
  error instanceof BatchRefusal ||
  error instanceof Problem ||
  !isPassing(error)

/**
 * After a failure of a message that names a tenant. One of a tenant that is gone (its objects, archive and rows
 * may be missing in any order) has nothing left to do and is done.
 */
export async function settleTenantFailure(
  message: Message,
  error: unknown,
  fields: LogFields & { tenant_id: string },
  env: Env,
): Promise<void> {
  if (!isPoison(error)) return settleFailure(message, error, fields)
  try {
    if (await isGone(fields.tenant_id, env)) return finish(message, fields)
    settleFailure(message, error, fields)
  } catch (unanswered) {
    settleFailure(message, unanswered, fields)
  }
}

/** The sentence for who will have to mend it: what was wrong, and what Postgres said. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof PoisonError)) return errorFields(error).error
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message
}

export async function isGone(tenantId: string, env: Env): Promise<boolean> {
  const tenant = await env.TENANT_CONTROL.getByName(tenantId).describe()
  return tenant === undefined || tenant.state === 'deleting'
}

function finish(message: Message, fields: LogFields): void {
  log('info', 'message_of_deleted_tenant', fields)
  message.ack()
}
