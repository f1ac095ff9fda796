import { and, eq } from 'drizzle-orm'
import type { Context } from 'hono'
import { webhookEndpoints } from '../../migrations/alerting-schema.ts'
import type { AppEnv } from '../app-env.ts'
import { db, query } from '../database.ts'
import { notFound } from '../query/parameters.ts'

/** The tenant's webhook with this id; 404 when there is none. */
export async function webhookOf(c: Context<AppEnv>, id: string) {
  const [row] = await query(
    c,
    db
      .select()
      .from(webhookEndpoints)
      .where(and(eq(webhookEndpoints.tenantId, c.get('tenantId')), eq(webhookEndpoints.id, id))),
  )
  if (row === undefined) throw notFound()
  return row
}
