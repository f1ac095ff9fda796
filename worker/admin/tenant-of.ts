import type { Context } from 'hono'
import * as v from 'valibot'
import { isName } from '../../telemetry/name.ts'
import type { AppEnv } from '../app-env.ts'
import { database, query } from '../database.ts'
import { notFound, pathId } from '../query/parameters.ts'
import { findTenant, type TenantRow } from './admin-sql.ts'

export const Name = v.custom<string>(isName, 'must be 1 to 128 characters of text without control characters')

/** The tenant that the path names; 404 when there is none. */
export async function tenantOf(c: Context<AppEnv>): Promise<TenantRow> {
  const row = await query(findTenant(database(c.env), pathId(c)))
  if (row === undefined) throw notFound()
  return row
}

export const controlOf = (c: Context<AppEnv>, tenantId: string) => c.env.TENANT_CONTROL.getByName(tenantId)
