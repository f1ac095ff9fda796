import type { Sql } from '../../durable-objects/connect-database.ts'
import type { TestTenant } from './tenant.ts'

export interface Page {
  data: Record<string, unknown>[]
  next_cursor: string | null
}

export const list = async (tenant: TestTenant, path: string) => (await tenant.get(path)).json<Page>()

/** The id that a batch without one was given, of an answer without a body. */
export const batchIdOf = (answer: Response) => answer.headers.get('x-edgepulse-batch-id') ?? ''

/** What the tenant has sent today. */
export async function usageTotal(tenant: TestTenant) {
  const today = new Date().toISOString().slice(0, 10)
  const answer = await tenant.get(`/v1/usage?from=${today}&to=${today}`)
  return (await answer.json<{ total: Record<string, number> }>()).total
}

/** Every series with its rows, by its names and its unit where it has one. */
export async function seriesOf(tenant: TestTenant) {
  const { data } = await list(tenant, '/v1/metrics')
  const rows = data.map(async ({ id, device, name, unit }) => {
    const { data: points } = await list(tenant, `/v1/metrics/${id}/datapoints`)
    return [`${device}/${name}${unit === null ? '' : ` ${unit}`}`, points]
  })
  return Object.fromEntries(await Promise.all(rows))
}

/** A metric of a tenant, without any data; returns its id. */
export async function insertMetric(sql: Sql, tenant: TestTenant): Promise<string> {
  const [deviceId, metricId] = [crypto.randomUUID(), crypto.randomUUID()]
  await sql.transaction([
    sql`insert into devices (tenant_id, id, external_id, last_seen_at) values (${tenant.id}, ${deviceId}, 'd', now())`,
    sql`insert into metrics (tenant_id, id, device_id, name) values (${tenant.id}, ${metricId}, ${deviceId}, 'm')`,
  ])
  return metricId
}
