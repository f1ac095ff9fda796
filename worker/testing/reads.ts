import type { Sql } from '../../durable-objects/connect-database.ts'
import type { TestTenant } from './tenant.ts'

export interface Page {
  data: Record<string, unknown>[]
  next_cursor: string | null
}

export const list = async (tenant: TestTenant, path: string) => (await tenant.get(path)).json<Page>()

/** A metric of a tenant, without any data; returns its id. */
export async function insertMetric(sql: Sql, tenant: TestTenant): Promise<string> {
  const [deviceId, metricId] = [crypto.randomUUID(), crypto.randomUUID()]
  await sql.transaction([
    sql`insert into devices (tenant_id, id, external_id, last_seen_at) values (${tenant.id}, ${deviceId}, 'd', now())`,
    sql`insert into metrics (tenant_id, id, device_id, name) values (${tenant.id}, ${metricId}, ${deviceId}, 'm')`,
  ])
  return metricId
}
