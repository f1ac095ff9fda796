import { expect, it } from 'vitest'
import { insertTenantRows } from '../../migrations/testing/tenant-rows.ts'
import { ownDatabase } from '../testing/own-database.ts'
import { watchGaps } from './watch-gaps.ts'

// It looks at every tenant, so it has a database of its own.
const { pool } = ownDatabase()

it('watchGaps() finds the gaps of every tenant, tells each once, and heeds a call to stop', async () => {
  const query = (text: string) => pool().query(text)
  const tenants = [await insertTenantRows(query), await insertTenantRows(query)]
  const later = Date.now() + 86_400_000
  expect(await watchGaps(pool(), later, () => true)).toBe(0)
  expect(await watchGaps(pool(), later)).toBe(2 * tenants.length) // each has two alerts on a metric
  expect(await watchGaps(pool(), later + 1)).toBe(0)
  const { rows } = await pool().query(
    `select distinct window_end = data_missing_since as since from alert_events where kind = 'anomaly'`,
  )
  expect(rows).toEqual([{ since: true }])
})

it('watchGaps() passes over alerts that are being resolved, and comes to them with the next look', async () => {
  await pool().query('delete from tenants')
  const rows = await insertTenantRows((text) => pool().query(text))
  const later = Date.now() + 86_400_000
  const scoring = await pool().connect()
  await scoring.query('begin')
  await scoring.query('update alert_events set acknowledged_at = null where id = $1', [rows.eventId])
  expect(await watchGaps(pool(), later)).toBe(1)
  await scoring.query('rollback')
  scoring.release()
  expect(await watchGaps(pool(), later)).toBe(1)
})
