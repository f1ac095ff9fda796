import type { Context } from 'hono'
import { ofTenant } from '../../durable-objects/connect-database.ts'
import type { AppEnv } from '../app-env.ts'
import { queryAs } from '../database.ts'
import { notFound } from '../query/parameters.ts'
import { findTenant, type TenantRow } from './admin-sql.ts'

/** The tenant with this id; 404 when there is none. */
export async function tenantOf(c: Context<AppEnv>, id: string): Promise<TenantRow> {
  const [row] = await queryAs(c.env, ofTenant(id), findTenant(id))
  if (row === undefined) throw notFound()
  return row
}

export const controlOf = (c: Context<AppEnv>, tenantId: string) => c.env.TENANT_CONTROL.getByName(tenantId)
