import pg from 'pg'
import { afterAll, beforeAll, expect, inject, it, test } from 'vitest'
import { scratchDatabase } from '../../migrations/scratch-database.ts'
import { bucketsOf, ScoreQueue } from './score-queue.ts'

let scratch: Awaited<ReturnType<typeof scratchDatabase>>
let pool: pg.Pool
beforeAll(async () => {
  scratch = await scratchDatabase(inject('databaseUrl'))
  pool = new pg.Pool({ connectionString: scratch.url, max: 6 })
})
afterAll(async () => {
  await pool.end()
  await scratch.drop()
})

test.each([
  [1, 1],
  [50, 1],
  [51, 2],
  [1000, 32],
  [1_000_000, 256],
])('%i due metrics make %i buckets of one tenant', (due, count) => {
  const buckets = bucketsOf({ tenantId: 't', due })
  expect(buckets).toHaveLength(count)
  expect(new Set(buckets.map(({ bucket }) => bucket)).size).toBe(count)
  expect(buckets.every(({ tenantId, of }) => tenantId === 't' && of === count)).toBe(true)
})

it('opens in several processes at once, and hands a bucket to one of them until it is done', async () => {
  const [a, b, c] = await Promise.all([1, 2, 3].map(() => ScoreQueue.open(pool)))
  const work = [{ tenantId: 'one', due: 3 }]
  await Promise.all([a!.plan(work), b!.plan(work)])
  const held = await a!.take()
  expect(held?.bucket).toEqual({ tenantId: 'one', bucket: 0, of: 1 })
  await c!.plan(work)
  expect(await b!.take()).toBeUndefined()
  await held?.done()
  await c!.plan(work)
  const again = await b!.take()
  expect(again?.bucket).toEqual(held?.bucket)
  await again?.done()
  for (const queue of [a, b, c]) await queue?.close()
})
