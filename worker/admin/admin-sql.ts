import { and, asc, eq, gt, sql } from 'drizzle-orm'
import { apiKeys, shardPresence, tenants } from '../../migrations/schema.ts'
import { db } from '../database.ts'

export type TenantRow = typeof tenants.$inferSelect
export type KeyRow = typeof apiKeys.$inferInsert

/** Days of partitions kept ready ahead of now. */
const PARTITION_DAYS_AHEAD = 14

export const listTenants = (limit: number, afterName: string | undefined) =>
  db
    .select()
    .from(tenants)
    .where(afterName === undefined ? undefined : gt(tenants.name, afterName))
    .orderBy(asc(tenants.name))
    .limit(limit)

export const findTenant = (id: string) => db.select().from(tenants).where(eq(tenants.id, id))

/** Returns nothing when the name is taken. */
export const insertTenant = (tenant: typeof tenants.$inferInsert) =>
  db.insert(tenants).values(tenant).onConflictDoNothing({ target: tenants.name }).returning()

export const updateTenant = (id: string, change: Partial<TenantRow>) =>
  db.update(tenants).set(change).where(eq(tenants.id, id)).returning()

/** Silence before this does not count; shards say the same with their next flush. */
export const countSilenceFrom = (tenantId: string, at: Date) =>
  db
    .update(shardPresence)
    .set({ countFrom: sql`greatest(${shardPresence.countFrom}, ${at})` })
    .where(eq(shardPresence.tenantId, tenantId))

/** Makes the partitions that datapoints of a tenant with this retention can fall into. */
export const ensurePartitions = (retentionDays: number) =>
  db.execute(
    sql`select ensure_datapoint_partitions(current_date - ${retentionDays}::int, current_date + ${PARTITION_DAYS_AHEAD}::int)`,
  )

export const insertKey = (key: KeyRow) => db.insert(apiKeys).values(key)

export const markKeyRevoked = (tenantId: string, id: string, at: Date) =>
  db
    .update(apiKeys)
    .set({ revokedAt: sql`coalesce(${apiKeys.revokedAt}, ${at})` })
    .where(and(eq(apiKeys.tenantId, tenantId), eq(apiKeys.id, id)))

export const expireKey = (tenantId: string, id: string, at: Date) =>
  db
    .update(apiKeys)
    .set({ expiresAt: sql`least(${apiKeys.expiresAt}, ${at})` })
    .where(and(eq(apiKeys.tenantId, tenantId), eq(apiKeys.id, id)))
