import { and, asc, eq, getTableColumns, gt, sql } from 'drizzle-orm'
import { deadLetters } from '../../migrations/schema.ts'
import { db } from '../database.ts'

/** `version` changes with every write of the row. */
const columns = { ...getTableColumns(deadLetters), version: sql<string>`${deadLetters}.xmin::text` }

export type LetterRow = typeof deadLetters.$inferSelect & { version: string }

/** The oldest first; of one tenant, or of all and of none. */
export const listDeadLetters = (of: { tenantId?: string; after?: number; limit: number }) =>
  db
    .select(columns)
    .from(deadLetters)
    .where(
      and(
        of.tenantId === undefined ? undefined : eq(deadLetters.tenantId, of.tenantId),
        of.after === undefined ? undefined : gt(deadLetters.id, of.after),
      ),
    )
    .orderBy(asc(deadLetters.id))
    .limit(of.limit)

export const findDeadLetter = (id: number) =>
  db.select(columns).from(deadLetters).where(eq(deadLetters.id, id))

/** Removes a letter, and the mark of its batch, unless the message has failed again since the letter was read. */
export const removeDeadLetter = ({ id, version }: LetterRow) =>
  db.execute(sql`
    with removed as (
      delete from dead_letters where id = ${id} and xmin::text = ${version} returning tenant_id, body
    )
    delete from batches using removed
    where batches.tenant_id = removed.tenant_id and batch_id = body->>'batch_id' and status = 'failed'`)
