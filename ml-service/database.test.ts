import { randomUUID } from 'node:crypto'
import { afterAll, expect, inject, test, vi } from 'vitest'
import { type Database, inTransaction, isUnreachable, openPool } from './database.ts'

const pool = openPool(inject('databaseUrl'))
afterAll(() => pool.end())

/** Ends the connection that `db` runs on, from another one, and waits until it is gone. */
async function kill(db: Database): Promise<void> {
  const { rows } = await db.query<{ pid: number }>('select pg_backend_pid() as pid')
  await pool.query('select pg_terminate_backend($1)', [rows[0]?.pid])
  await vi.waitFor(async () => {
    const left = await pool.query('select from pg_stat_activity where pid = $1', [rows[0]?.pid])
    expect(left.rowCount).toBe(0)
  })
}

test('a connection lost between two queries of a transaction fails it as unreachable, and nothing else', async () => {
  const lost = inTransaction(pool, { tenantId: randomUUID() }, async (db) => {
    await kill(db)
    await db.query('select 1')
  })
  const error = await lost.catch((cause: unknown) => cause)
  expect(isUnreachable(error), String(error)).toBe(true)
  expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }])
})
