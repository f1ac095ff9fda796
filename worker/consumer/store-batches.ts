import { NeonDbError } from '@neondatabase/serverless'
import { become, ofTenant, type Sql } from '../../durable-objects/connect-database.ts'
import type { LoadedBatch } from '../../telemetry/batch-rows.ts'
import type { Statement } from '../../telemetry/batch-statements.ts'
import { batchTransactions, newBatchTransactions } from '../../telemetry/batch-transactions.ts'
import { persist } from './settle-failure.ts'

const UNIQUE_VIOLATION = '23505'

/** Writes batches of one tenant, in one transaction unless they are too large for it. */
export async function storeBatches(
  sql: Sql,
  tenantId: string,
  batches: LoadedBatch[],
  persistedAt: number,
): Promise<void> {
  const runAll = async (transactions: Iterable<Statement[]>) => {
    for (const statements of transactions) {
      const queries = statements.map(({ text, values }) => sql.query(text, values))
      await sql.transaction([become(sql, ofTenant(tenantId)), ...queries])
    }
  }
  await persist(() =>
    runAll(newBatchTransactions(tenantId, batches, persistedAt)).catch((error: unknown) => {
      if (!(error instanceof NeonDbError && error.code === UNIQUE_VIOLATION)) throw error
      return runAll(batchTransactions(tenantId, batches, persistedAt))
    }),
  )
}
