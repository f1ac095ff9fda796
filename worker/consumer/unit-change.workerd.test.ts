import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { TenantShard } from '../index.ts'
import { batchMessage, consume, withoutQueue } from '../testing/consume.ts'
import { sql } from '../testing/owner-sql.ts'
import { createTenant, type TestTenant } from '../testing/tenant.ts'

beforeEach(() => {
  // Tests decide in what order batches are stored: nothing is sent again meanwhile.
  vi.spyOn(TenantShard.prototype, 'alarm').mockResolvedValue()
})
afterEach(() => {
  vi.restoreAllMocks()
})

const statusOf = async (tenant: TestTenant) =>
  (await tenant.get('/v1/status')).json<{ warnings: unknown[] }>()

const receivedAt = async (answer: Response) => (await answer.json<{ received_at: string }>()).received_at

describe('a metric whose unit changes', () => {
  const batch = (id: string, unit: string | null | undefined, ts: number) => ({
    ...{ batch_id: id, series: [{ device: 'pump-7', metric: 'temperature', unit, points: [[ts, 1]] }] },
  })

  /** Sends batches with these units, each received in a later millisecond than the one before. */
  async function send(tenant: TestTenant, units: Record<string, string | null | undefined>) {
    const received: Record<string, string> = {}
    await withoutQueue(async () => {
      for (const [id, unit] of Object.entries(units)) {
        const now = Date.now()
        received[id] = await receivedAt(await tenant.ingest(batch(id, unit, now - 1000)))
        await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(Date.parse(received[id]!)), { interval: 1 })
      }
    })
    return received
  }

  const store = (tenant: TestTenant, ids: string[]) =>
    consume(
      'edgepulse-batches',
      ids.map((id) => batchMessage(tenant, id)),
    )

  const metricOf = async (tenant: TestTenant) => {
    const { data } = await (await tenant.get('/v1/metrics')).json<{ data: Record<string, unknown>[] }>()
    return data[0]!
  }

  it('keeps its datapoints, shows the latest unit and since when, and is warned of', async () => {
    const tenant = await createTenant()
    const received = await send(tenant, { first: 'C', bare: undefined, none: null, second: 'F', third: 'F' })
    await store(tenant, ['first', 'bare', 'none'])
    expect(await metricOf(tenant)).toMatchObject({ unit: 'C', unit_changed_at: null })
    expect(await statusOf(tenant)).toMatchObject({ warnings: [] })
    await store(tenant, ['second', 'third'])
    const metric = await metricOf(tenant)
    expect(metric).toMatchObject({ unit: 'F', unit_changed_at: received['second'] })
    const [stored] = await sql`select count(*)::int as n from datapoints where tenant_id = ${tenant.id}`
    expect(stored).toEqual({ n: 5 })
    expect(await statusOf(tenant)).toMatchObject({
      warnings: [
        {
          ...{ code: 'unit_changed', message: expect.stringMatching(/pump-7\/temperature.*F.*C/) },
          ...{ metric_id: metric['id'], device: 'pump-7', metric: 'temperature' },
          ...{ unit: 'F', previous_unit: 'C', changed_at: received['second'] },
        },
      ],
    })
  })

  it('shows the same whatever order its batches are stored in, and again when they are stored again', async () => {
    const tenant = await createTenant()
    const received = await send(tenant, { a: 'C', b: 'F', c: null, d: 'F' })
    for (const id of ['d', 'c', 'b', 'a']) await store(tenant, [id])
    const once = await metricOf(tenant)
    expect(once).toMatchObject({ unit: 'F', unit_changed_at: received['b'] })
    // As if the acknowledgements had been lost: every batch is written once more.
    await runInDurableObject(env.TENANT_SHARD.getByName(`${tenant.id}/0`), (_, { storage }) => {
      storage.sql.exec('update batches set persisted_at = null')
    })
    await store(tenant, ['a', 'd'])
    await store(tenant, ['c', 'b'])
    expect(await metricOf(tenant)).toEqual(once)
  })

  it('is warned of for seven days, the twenty newest changes first', async () => {
    const tenant = await createTenant()
    await send(tenant, { first: 'C', second: 'F' })
    await store(tenant, ['first', 'second'])
    const shift = (days: number) =>
      sql`update metrics set unit_since = unit_since + ${days * 86_400_000 * 1024} where tenant_id = ${tenant.id}`
    await shift(-6.99)
    expect((await statusOf(tenant)).warnings).toHaveLength(1)
    await shift(-0.02)
    expect((await statusOf(tenant)).warnings).toEqual([])
    await sql`insert into metrics (tenant_id, id, device_id, name, unit, unit_since, previous_unit)
      select tenant_id, gen_random_uuid(), device_id, 'm-' || n, 'F', (${Date.now()}::int8 - n) * 1024, 'C'
      from metrics, generate_series(1, 25) as n where tenant_id = ${tenant.id}`
    const { warnings } = await statusOf(tenant)
    const names = Array.from({ length: 20 }, (_, i) => ({ metric: `m-${i + 1}` }))
    expect(warnings).toMatchObject(names)
  })
})
