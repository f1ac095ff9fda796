import { and, asc, eq, gt, sql } from 'drizzle-orm'
import { apiKeys, tenants } from '../../migrations/schema.ts'
import type { Database } from '../database.ts'

export type TenantRow = typeof tenants.$inferSelect
export type KeyRow = typeof apiKeys.$inferInsert

/** Days of partitions kept ready ahead of now. */
const PARTITION_DAYS_AHEAD = 14

export const listTenants = (db: Database, limit: number, afterName: string | undefined) =>
  db
    .select()
    .from(tenants)
    .where(afterName === undefined ? undefined : gt(tenants.name, afterName))
    .orderBy(asc(tenants.name))
    .limit(limit)

export const findTenant = async (db: Database, id: string) =>
  (await db.select().from(tenants).where(eq(tenants.id, id)))[0]

/** undefined: the name is taken. */
export const insertTenant = async (db: Database, tenant: typeof tenants.$inferInsert) =>
  (await db.insert(tenants).values(tenant).onConflictDoNothing({ target: tenants.name }).returning())[0]

export const updateTenant = async (db: Database, id: string, change: Partial<TenantRow>) =>
  (await db.update(tenants).set(change).where(eq(tenants.id, id)).returning())[0]

/** Makes the partitions that datapoints of a tenant with this retention can fall into. */
export const ensurePartitions = (db: Database, retentionDays: number) =>
  db.execute(
    sql`select ensure_datapoint_partitions(current_date - ${retentionDays}::int, current_date + ${PARTITION_DAYS_AHEAD}::int)`,
  )

export const insertKey = (db: Database, key: KeyRow) => db.insert(apiKeys).values(key)

export const markKeyRevoked = (db: Database, tenantId: string, id: string, at: Date) =>
  db
    .update(apiKeys)
    .set({ revokedAt: sql`coalesce(${apiKeys.revokedAt}, ${at})` })
    .where(and(eq(apiKeys.tenantId, tenantId), eq(apiKeys.id, id)))

export const expireKey = (db: Database, tenantId: string, id: string, at: Date) =>
  db
    .update(apiKeys)
    .set({ expiresAt: sql`least(${apiKeys.expiresAt}, ${at})` })
    .where(and(eq(apiKeys.tenantId, tenantId), eq(apiKeys.id, id)))
