import type pg from 'pg'
import { settleDisabled } from '../alerts/settle-disabled.ts'
import { inTransaction, isUnreachable, OPERATOR, scopedDatabase } from '../database.ts'
import { log, messageOf } from '../log.ts'
import { evaluateSilence } from './evaluate-silence.ts'
import { selectWatchedTenants } from './silence-sql.ts'

/**
 * Judges every tenant's devices by its silence rules, and settles what disabled rules left open, a tenant a transaction:
 * one that fails keeps no other from its turn, and comes again with the next round. Throws when Postgres is away.
 */
export async function watchDevices(
  pool: pg.Pool,
  now: number,
  stopped: () => boolean = () => false,
): Promise<{ silent: number; recovered: number; settled: number }> {
  const total = { silent: 0, recovered: 0, settled: 0 }
  for (const tenantId of await selectWatchedTenants(scopedDatabase(pool, OPERATOR))) {
    if (stopped()) break
    try {
      const { settled, silent, recovered } = await inTransaction(pool, { tenantId }, async (db) => {
        const settled = await settleDisabled(db, tenantId, now)
        return { settled, ...(await evaluateSilence(db, tenantId, now)) }
      })
      total.silent += silent
      total.recovered += recovered
      total.settled += settled
      if (silent + recovered + settled > 0)
        log('info', 'devices_judged', { tenant_id: tenantId, silent, recovered, settled })
    } catch (error) {
      if (isUnreachable(error)) throw error
      log('error', 'devices_not_judged', { tenant_id: tenantId, error: messageOf(error) })
    }
  }
  return total
}
