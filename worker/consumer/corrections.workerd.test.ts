import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { TenantShard } from '../index.ts'
import { batchMessage, consume, withoutQueue } from '../testing/consume.ts'
import { sql } from '../testing/owner-sql.ts'
import { createTenant, type TestTenant } from '../testing/tenant.ts'

const WINDOW = 300_000

beforeEach(() => {
  // Tests decide in what order batches are stored: nothing is sent again meanwhile.
  vi.spyOn(TenantShard.prototype, 'alarm').mockResolvedValue()
})
afterEach(() => {
  vi.restoreAllMocks()
})

/** Batches a, b, … of one value each, at the same timestamp, each received in a later millisecond than the one before. */
async function accepted(values: number[]) {
  const tenant = await createTenant()
  const ts = Math.floor(Date.now() / WINDOW) * WINDOW - WINDOW + 7
  const ids = values.map((_, i) => String.fromCharCode(97 + i))
  await withoutQueue(async () => {
    for (const [i, id] of ids.entries()) {
      const points = [
        [ts, values[i]],
        [ts + 2 * WINDOW * (i + 1) - 10 * WINDOW, 1],
      ]
      await tenant.ingest({ batch_id: id, series: [{ device: 'd', metric: 'm', points }] })
      const now = Date.now()
      await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(now), { interval: 1 })
    }
  })
  return { tenant, ts }
}

const store = (tenant: TestTenant, ids: string) =>
  consume(
    'edgepulse-batches',
    [...ids].map((id) => batchMessage(tenant, id)),
  )

/** As if the acknowledgements had been lost: batches come again. */
const forget = (tenant: TestTenant) =>
  runInDurableObject(env.TENANT_SHARD.getByName(`${tenant.id}/0`), (_, { storage }) => {
    storage.sql.exec('update batches set persisted_at = null')
  })

async function marksOf(tenant: TestTenant) {
  const rows = await sql`select (extract(epoch from window_start) * 1000)::float8 as start
    from corrected_windows where tenant_id = ${tenant.id} order by 1`
  return rows.map(({ start }) => start)
}

const valueAt = async (tenant: TestTenant, ts: number) => {
  const [row] =
    await sql`select value from datapoints where tenant_id = ${tenant.id} and ts = ${new Date(ts)}`
  return row?.['value']
}

describe('a correction', () => {
  it.each([
    ['stored after what it corrects', ['a', 'b'], [1, 2], 2],
    ['stored before what it corrects', ['b', 'a'], [1, 2], 2],
    ['stored with what it corrects', ['ab'], [1, 2], 2],
    ['of a correction, stored in between', ['a', 'c', 'b'], [1, 2, 3], 3],
    ['of a correction, stored with that', ['a', 'bc'], [1, 2, 3], 3],
    ['to the same value, which the window counts twice all the same', ['a', 'b'], [1, 1], 1],
  ])('%s wins, and marks its window alone and the metric', async (_, groups, values, last) => {
    const { tenant, ts } = await accepted(values)
    for (const ids of groups) {
      const { acked } = await store(tenant, ids)
      expect(acked).toHaveLength(ids.length)
    }
    expect(await valueAt(tenant, ts)).toBe(last)
    expect(await marksOf(tenant)).toEqual([ts - 7])
    const due = await sql`select 1 from due_metrics where tenant_id = ${tenant.id}`
    expect(due).toHaveLength(1)
  })

  it('marks nothing once more when its batches come again, in whatever company', async () => {
    const { tenant, ts } = await accepted([1, 2])
    await store(tenant, 'a')
    await store(tenant, 'b')
    const revision = async () => {
      const [row] = await sql`select revision from corrected_windows where tenant_id = ${tenant.id}`
      return row?.['revision']
    }
    const before = await revision()
    for (const ids of ['a', 'b', 'ab']) {
      await forget(tenant)
      expect((await store(tenant, ids)).acked).toHaveLength(ids.length)
    }
    expect(await revision()).toBe(before)
    expect(await valueAt(tenant, ts)).toBe(2)
  })

  it('marks once however many transactions bring it at the same time', async () => {
    const { tenant, ts } = await accepted([1, 2, 3, 4])
    const results = await Promise.all(['a', 'b', 'c', 'd'].map((id) => store(tenant, id)))
    expect(results.flatMap(({ acked }) => acked)).toHaveLength(4)
    expect(await valueAt(tenant, ts)).toBe(4)
    expect(await marksOf(tenant)).toEqual([ts - 7])
  })

  it('is not what a batch repeats within itself: of that the shard counts one value', async () => {
    const { tenant, ts } = await accepted([1])
    await withoutQueue(() => {
      const points = [
        [ts + 1, 5],
        [ts + 1, 6],
      ]
      return tenant.ingest({ batch_id: 'r', series: [{ device: 'd', metric: 'm', points }] })
    })
    await store(tenant, 'ar')
    expect(await marksOf(tenant)).toEqual([])
  })
})
