import { become, ofTenant, type Sql } from '../../durable-objects/connect-database.ts'
import type { LoadedBatch } from '../../telemetry/batch-rows.ts'
import { batchTransactions } from '../../telemetry/batch-transactions.ts'
import { persist } from './settle-failure.ts'

/** Writes batches of one tenant, in one transaction unless they are too large for it. */
export async function storeBatches(
  sql: Sql,
  tenantId: string,
  batches: LoadedBatch[],
  persistedAt: number,
): Promise<void> {
  for (const statements of batchTransactions(tenantId, batches, persistedAt)) {
    await persist(() =>
      sql.transaction([
        become(sql, ofTenant(tenantId)),
        ...statements.map(({ text, values }) => sql.query(text, values)),
      ]),
    )
  }
}
