import pg from 'pg'

/** The client of a running transaction, or what makes one of each query. */
export interface Database {
  query<Row extends pg.QueryResultRow>(
    query: string | pg.QueryConfig,
    values?: unknown[],
  ): Promise<pg.QueryResult<Row>>
}

/** Whose rows a transaction sees and takes, whatever its connection logged in as: see docs/isolation.md. */
export type Scope = { tenantId: string } | typeof OPERATOR

/** For the little that an operator sees of all tenants. */
export const OPERATOR = 'operator'

/** A pool that survives the loss of its connections: the next query shows what is wrong. */
export function openPool(databaseUrl: string): pg.Pool {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: 6,
    connectionTimeoutMillis: 10_000,
    idleTimeoutMillis: 10_000,
    keepAlive: true,
    application_name: 'edgepulse-ml',
  })
  pool.on('error', () => {})
  // One that is lost between two queries of a transaction has no query to fail: unheard, it would end the process.
  pool.on('connect', (client) => client.on('error', () => {}))
  return pool
}

/** From here to the end of the transaction; a pooled connection keeps nothing of it. */
export async function become(db: Database, scope: Scope): Promise<void> {
  const [role, tenantId] = scope === OPERATOR ? ['edgepulse_operator', ''] : ['edgepulse_ml', scope.tenantId]
  await db.query(`select set_config('role', $1, true), set_config('edgepulse.tenant_id', $2, true)`, [
    role,
    tenantId,
  ])
}

/** For queries that stand alone: each is a transaction. */
export const scopedDatabase = (pool: pg.Pool, scope: Scope): Database => ({
  query: (query, values) => inTransaction(pool, scope, (db) => db.query(query, values)),
})

/** Commits what `work` did, or nothing of it. */
export async function inTransaction<T>(
  pool: pg.Pool,
  scope: Scope,
  work: (db: Database) => Promise<T>,
): Promise<T> {
  const client = await pool.connect()
  let broken: Error | undefined
  try {
    await client.query('begin')
    await become(client, scope)
    const result = await work(client)
    await client.query('commit')
    return result
  } catch (error) {
    await client.query('rollback').catch((cause: Error) => {
      broken = cause
    })
    throw error
  } finally {
    client.release(broken)
  }
}

/** Epoch ms as a timestamptz parameter; infinities as Postgres' own. */
export const instant = (ms: number) =>
  Number.isFinite(ms) ? new Date(ms) : ms < 0 ? '-infinity' : 'infinity'

/** Whether a failure says that Postgres could not be reached or is going away, not that the work is wrong. */
export function isUnreachable(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.some(isUnreachable)
  if (!(error instanceof Error)) return false
  const code = 'code' in error ? String(error.code) : ''
  if (/^(08|57P0|53)/.test(code) || CONNECTION_ERRORS.has(code)) return true
  return /connection terminated|timeout exceeded when trying to connect|connection error/i.test(error.message)
}

/** Whether this transaction had to give way to another, by Postgres' choice or because both wrote a key: the same again will do. */
export function isConflict(error: unknown): boolean {
  return error instanceof Error && 'code' in error && CONFLICTS.has(String(error.code))
}

/** Whether the database lacks a table, column or function: it was not migrated, which is no fault of any one row. */
export function isUnmigrated(error: unknown): boolean {
  return error instanceof Error && 'code' in error && UNMIGRATED.has(String(error.code))
}

const UNMIGRATED = new Set(['42P01', '42703', '42883'])

const CONFLICTS = new Set(['40001', '40P01', '23505'])

const CONNECTION_ERRORS = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
])
