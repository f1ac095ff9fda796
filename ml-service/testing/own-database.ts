import pg from 'pg'
import { afterAll, beforeAll, inject } from 'vitest'
import { migrate } from '../../migrations/migrate.ts'
import { scratchDatabase } from '../../migrations/scratch-database.ts'

/** A database of the test file's own, for what works on all there is; there from the first test on. */
export function ownDatabase() {
  let scratch: Awaited<ReturnType<typeof scratchDatabase>> | undefined
  let pool: pg.Pool | undefined
  beforeAll(async () => {
    scratch = await scratchDatabase(inject('databaseUrl'))
    await migrate(scratch.url)
    pool = new pg.Pool({ connectionString: scratch.url, max: 6 })
  })
  afterAll(async () => {
    await pool?.end()
    await scratch?.drop()
  })
  return { url: () => there(scratch).url, pool: () => there(pool) }
}

function there<T>(part: T | undefined): T {
  if (part === undefined) throw new Error('there is no database before the tests begin')
  return part
}
