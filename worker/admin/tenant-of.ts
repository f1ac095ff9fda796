import type { Context } from 'hono'
import type { AppEnv } from '../app-env.ts'
import { database, query } from '../database.ts'
import { notFound } from '../query/parameters.ts'
import { findTenant, type TenantRow } from './admin-sql.ts'

/** The tenant with this id; 404 when there is none. */
export async function tenantOf(c: Context<AppEnv>, id: string): Promise<TenantRow> {
  const row = await query(findTenant(database(c.env), id))
  if (row === undefined) throw notFound()
  return row
}

export const controlOf = (c: Context<AppEnv>, tenantId: string) => c.env.TENANT_CONTROL.getByName(tenantId)
