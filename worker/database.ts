import { NeonDbError } from '@neondatabase/serverless'
import { drizzle } from 'drizzle-orm/neon-http'
import { connect } from '../durable-objects/connect-database.ts'
import { unavailable } from './problem.ts'

/** Typed access for reads. Every query binds the tenant. */
export const database = (env: Env) => drizzle(connect(env))

export type Database = ReturnType<typeof database>

/**
 * Whether Postgres could not be reached or could not go on (SQLSTATE classes 08, 53, 57 and 40), so that the
 * same statement may succeed later; anything else is the statement's own fault.
 */
export function isPassing(error: unknown): boolean {
  const cause = error instanceof Error && error.cause instanceof NeonDbError ? error.cause : error
  if (!(cause instanceof NeonDbError)) return true
  return cause.code === undefined || /^(08|53|57|40|55)/.test(cause.code)
}

/** Runs a query for a reader: a database that cannot answer now is a 503, a faulty statement is a bug. */
export async function query<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw isPassing(error) ? unavailable(error) : error
  }
}
