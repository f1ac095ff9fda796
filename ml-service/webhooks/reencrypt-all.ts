import type pg from 'pg'
import { isSealedWith, openSecret, sealSecret } from '../../telemetry/secret-box.ts'
import { inTransaction, OPERATOR, scopedDatabase } from '../database.ts'
import { log, messageOf } from '../log.ts'
import { lockSealed, type SealedEndpoint, selectEndpointKeys, updateSealed } from './sealed-secrets-sql.ts'

/**
 * Seals with the first of `keys` what was sealed with the others, an endpoint a transaction: it may be stopped at
 * any time and run again, beside rotations and deliveries. Returns how many endpoints it sealed, found sealed, and
 * could not open.
 */
export async function reencryptAll(
  pool: pg.Pool,
  keys: [string, ...string[]],
): Promise<{ sealed: number; kept: number; failed: number }> {
  const count = { sealed: 0, kept: 0, failed: 0 }
  for (const key of await selectEndpointKeys(scopedDatabase(pool, OPERATOR))) {
    try {
      const changed = await inTransaction(pool, key, async (db) => {
        const endpoint = await lockSealed(db, key)
        const changes = endpoint && (await sealedAgain(endpoint, keys))
        if (changes) await updateSealed(db, key, changes)
        return changes !== undefined
      })
      count[changed ? 'sealed' : 'kept'] += 1
    } catch (error) {
      count.failed += 1
      log('error', 'secret_not_resealed', { ...aboutOf(key), error: messageOf(error) })
    }
  }
  return count
}

const aboutOf = ({ tenantId, webhookId }: SealedEndpoint['key']) => ({
  tenant_id: tenantId,
  webhook_id: webhookId,
})

/** undefined: all is sealed with the first key. */
async function sealedAgain(
  { key, secret, previousSecrets }: SealedEndpoint,
  keys: [string, ...string[]],
): Promise<Omit<SealedEndpoint, 'key'> | undefined> {
  const texts = [secret, ...previousSecrets.map((previous) => previous.secret)]
  const [newest] = keys
  if ((await Promise.all(texts.map((text) => isSealedWith(text, newest)))).every(Boolean)) return undefined
  const context = `${key.tenantId}/${key.webhookId}`
  const again = async (text: string) => sealSecret(await openSecret(text, keys, context), newest, context)
  return {
    secret: await again(secret),
    previousSecrets: await Promise.all(
      previousSecrets.map(async (previous) => ({ ...previous, secret: await again(previous.secret) })),
    ),
  }
}
