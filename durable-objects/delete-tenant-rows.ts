import { become, ofTenant, type Sql } from './connect-database.ts'

const ROWS_AT_ONCE = 50_000
/** The tables that can be large, each deleted in bounded pieces before the tenant's row takes the rest along. */
const LARGE_TABLES = [
  'datapoints',
  'window_aggregates',
  'anomaly_scores',
  'batches',
  'webhook_deliveries',
  'alert_events',
]

/** Deletes a bounded number of a tenant's rows, the tenant itself last; returns how many, 0 when none are left. */
export async function deleteTenantRows(sql: Sql, tenantId: string): Promise<number> {
  for (const table of LARGE_TABLES) {
    const deleted = await run(
      sql,
      `delete from ${table} where tenant_id = $1 and (tableoid, ctid) in
         (select tableoid, ctid from ${table} where tenant_id = $1 limit ${ROWS_AT_ONCE})`,
      tenantId,
    )
    if (deleted > 0) return deleted
  }
  await run(sql, 'delete from dead_letters where tenant_id = $1', tenantId)
  return run(sql, 'delete from tenants where id = $1', tenantId)
}

async function run(sql: Sql, text: string, tenantId: string): Promise<number> {
  const statements = [become(sql, ofTenant(tenantId)), sql.query(text, [tenantId])]
  const [, result] = await sql.transaction(statements, { fullResults: true })
  return result!.rowCount
}
