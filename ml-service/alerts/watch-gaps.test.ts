import pg from 'pg'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { migrate } from '../../migrations/migrate.ts'
import { scratchDatabase } from '../../migrations/scratch-database.ts'
import { insertTenantRows } from '../../migrations/testing/tenant-rows.ts'
import { watchGaps } from './watch-gaps.ts'

// It looks at every tenant, so it has a database of its own.
let scratch: Awaited<ReturnType<typeof scratchDatabase>>
let pool: pg.Pool
beforeAll(async () => {
  scratch = await scratchDatabase(inject('databaseUrl'))
  await migrate(scratch.url)
  pool = new pg.Pool({ connectionString: scratch.url, max: 2 })
})
afterAll(async () => {
  await pool.end()
  await scratch.drop()
})

it('watchGaps() finds the gaps of every tenant, tells each once, and heeds a call to stop', async () => {
  const query = (text: string) => pool.query(text)
  const tenants = [await insertTenantRows(query), await insertTenantRows(query)]
  const later = Date.now() + 86_400_000
  expect(await watchGaps(pool, later, () => true)).toBe(0)
  expect(await watchGaps(pool, later)).toBe(tenants.length)
  expect(await watchGaps(pool, later + 1)).toBe(0)
  const { rows } = await pool.query('select window_end = data_missing_since as since from alert_events')
  expect(rows).toEqual([{ since: true }, { since: true }])
})
