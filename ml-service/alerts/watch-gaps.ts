import type pg from 'pg'
import { scopedDatabase } from '../database.ts'
import { listTenants } from '../metric-lookup.ts'
import { updateDataMissing } from './alerts-sql.ts'

/** Looks at every tenant's open alerts: where no data comes, nothing else does. Returns how many alerts changed. */
export async function watchGaps(
  pool: pg.Pool,
  now: number,
  stopped: () => boolean = () => false,
): Promise<number> {
  let changed = 0
  for (const tenantId of await listTenants(pool)) {
    if (stopped()) break
    changed += await updateDataMissing(scopedDatabase(pool, { tenantId }), { tenantId }, now)
  }
  return changed
}
