import { NeonDbError } from '@neondatabase/serverless'
import type { Sql } from '../../durable-objects/connect-database.ts'
import type { LoadedBatch } from '../../telemetry/batch-rows.ts'
import type { Statement } from '../../telemetry/batch-statements.ts'
import { batchTransactions } from '../../telemetry/batch-transactions.ts'
import { persist } from './settle-failure.ts'

const UNIQUE_VIOLATION = '23505'

/** Writes batches of one tenant, in one transaction unless they are too large for it. */
export async function storeBatches(
  sql: Sql,
  tenantId: string,
  batches: LoadedBatch[],
  persistedAt: number,
): Promise<void> {
  const run = (statements: Statement[]) =>
    sql.transaction(statements.map(({ text, values }) => sql.query(text, values)))
  for (const { hopeful, careful } of batchTransactions(tenantId, batches, persistedAt)) {
    await persist(() =>
      run(hopeful()).catch((error: unknown) => {
        if (error instanceof NeonDbError && error.code === UNIQUE_VIOLATION) return run(careful())
        throw error
      }),
    )
  }
}
