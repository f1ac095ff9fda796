import { NeonDbError } from '@neondatabase/serverless'
import { sql } from 'drizzle-orm'
import type { BatchItem, BatchResponse } from 'drizzle-orm/batch'
import { DrizzleQueryError } from 'drizzle-orm/errors'
import { drizzle } from 'drizzle-orm/neon-http'
import type { Context } from 'hono'
import { ValiError } from 'valibot'
import { connect, type DatabaseEnv, ofTenant, type Scope } from '../durable-objects/connect-database.ts'
import type { AppEnv } from './app-env.ts'
import { unavailable } from './problem.ts'
import { remainingMs } from './within-deadline.ts'

/** A statement of a request is given up after this, or when the request's own deadline comes before. */
const STATEMENT_DEADLINE_MS = 6_000

/**
 * SQLSTATEs of a Postgres that cannot be reached or cannot go on: connection (08), read-only after a failover
 * (25006), credentials being changed (28), serialization and deadlock (40), resources (53), locks (55), operator
 * intervention (57), system (58), internal (XX000). Neon's proxy gives an empty one when it loses the compute.
 */
const PASSING_STATES = /^($|08|25006|28|40|53|55|57|58|XX000)/
/** What is too large stays so: HTTP 413 for a request, 507 for an answer. */
const TOO_LARGE = /HTTP status (413|507)|too large|is larger than/i
const BUGS = [TypeError, RangeError, ReferenceError, ValiError]

/** Builds statements and runs none: `query` and its like do, which say for whom. */
export const db = drizzle.mock()

type Statement = BatchItem<'pg'>

/**
 * Whether the same work may succeed later: Postgres, an object or the archive could not be reached or could not
 * go on. Otherwise the statement, its values or the code is at fault. drizzle wraps the driver's errors.
 */
export function isPassing(error: unknown): boolean {
  const cause = error instanceof DrizzleQueryError ? error.cause : error
  if (!(cause instanceof NeonDbError)) return !BUGS.some((kind) => cause instanceof kind)
  if (TOO_LARGE.test(cause.message)) return false
  return PASSING_STATES.test(cause.code ?? '') // none: no answer of Postgres at all
}

/** Runs a statement for the tenant of the request. */
export const query = <T extends Statement>(c: Context<AppEnv>, statement: T) =>
  queryAs(c.env, ofTenant(c.get('tenantId')), statement)

/** Runs a statement; a database that cannot answer now is a 503, a faulty statement is a bug. */
export async function queryAs<T extends Statement>(env: DatabaseEnv, scope: Scope, statement: T) {
  const [result] = await queryTogether(env, scope, [statement])
  return result
}

/** Statements in one transaction and one round trip. */
export async function queryTogether<T extends [Statement, ...Statement[]]>(
  env: DatabaseEnv,
  { role, tenantId }: Scope,
  statements: T,
): Promise<BatchResponse<T>> {
  const connected = drizzle(connect(env, () => remainingMs(STATEMENT_DEADLINE_MS)))
  try {
    const [, ...results] = await connected.batch([
      db.execute(
        sql`select set_config('role', ${role}, true), set_config('edgepulse.tenant_id', ${tenantId}, true)`,
      ),
      ...statements,
    ])
    return results
  } catch (error) {
    throw isPassing(error) ? unavailable(error) : error
  }
}
