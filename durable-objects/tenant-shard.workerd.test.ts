import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import { featuresOfParts, featuresOfValues } from '../telemetry/window-features.ts'
import { admin, createKey, createTenant, type TestTenant } from '../worker/testing/tenant.ts'
import { decodeFlush, type FlushedWindow } from './window-frames.ts'

const WINDOW_MS = 300_000

const shardOf = (tenant: TestTenant) => env.TENANT_SHARD.getByName(`${tenant.id}/0`)
const windowStart = (ago: number) => Math.floor(Date.now() / WINDOW_MS) * WINDOW_MS - ago * WINDOW_MS
const batch = (id: string, points: unknown[], device = 'd') => ({
  batch_id: id,
  series: [{ device, metric: 'm', points }],
})

/** The shard's consumers are kept away, so that what it flushed can be read from it. */
async function withoutConsumer<T>(work: () => Promise<T>): Promise<T> {
  const prototype = Object.getPrototypeOf(env.WINDOWS)
  const sendBatch = vi.spyOn(prototype, 'sendBatch').mockRejectedValue(new Error('queue is away'))
  try {
    return await work()
  } finally {
    sendBatch.mockRestore()
  }
}

/** All windows the shard has flushed and nobody has acknowledged. */
async function flushedWindows(tenant: TestTenant): Promise<FlushedWindow[]> {
  const frames = await runInDurableObject(shardOf(tenant), (_, { storage }) =>
    storage.sql.exec<{ bytes: ArrayBuffer }>('select bytes from flushes order by id').toArray(),
  )
  return frames.flatMap(({ bytes }) => decodeFlush(new Uint8Array(bytes)).windows)
}

describe('TenantShard', () => {
  it('rebuilds its windows after eviction, from journal and checkpoint, and counts each datapoint once', async () => {
    const tenant = await createTenant()
    const start = windowStart(6)
    await withoutConsumer(async () => {
      await tenant.ingest(
        batch('a', [
          [start + 1000, 1],
          [start + 2000, 5],
        ]),
      )
      await evictDurableObject(shardOf(tenant))
      await tenant.ingest(batch('b', [[start + 3000, 9]]))
      await tenant.ingest(batch('c', [[start + WINDOW_MS + 1000, 2]]))
      await evictDurableObject(shardOf(tenant))
      await tenant.ingest(batch('d', [[start + 4 * WINDOW_MS, 0]]))
      await vi.waitFor(async () => expect(await flushedWindows(tenant)).toHaveLength(2), { timeout: 10_000 })
      await evictDurableObject(shardOf(tenant))
      await tenant.ingest(
        batch('e', [
          [start + 4 * WINDOW_MS + 1, 7],
          [start + 6 * WINDOW_MS, 0],
        ]),
      )
      await vi.waitFor(async () => expect(await flushedWindows(tenant)).toHaveLength(3), { timeout: 10_000 })
    })
    const windows = await flushedWindows(tenant)
    expect(windows.map(({ windowStart, count, mean }) => [windowStart - start, count, mean])).toEqual([
      [0, 3, 5],
      [WINDOW_MS, 1, 2],
      [4 * WINDOW_MS, 2, 3.5],
    ])
  })

  it('keeps a window open for late datapoints until the allowed lateness, then makes another part', async () => {
    const tenant = await createTenant()
    const start = windowStart(6)
    const values = [1, 2, 3, 10, 20]
    await withoutConsumer(async () => {
      await tenant.ingest(
        batch('a', [
          [start + 1000, 1],
          [start + WINDOW_MS + 59_000, 0],
        ]),
      )
      await tenant.ingest(
        batch('in-time', [
          [start + 2000, 2],
          [start + 3000, 3],
        ]),
      )
      await tenant.ingest(batch('advance', [[start + 2 * WINDOW_MS, 0]]))
      await vi.waitFor(async () => expect((await flushedWindows(tenant)).length).toBeGreaterThan(0), {
        timeout: 10_000,
      })
      await tenant.ingest(
        batch('too-late', [
          [start + 4000, 10],
          [start + 5000, 20],
        ]),
      )
      await vi.waitFor(
        async () => {
          const parts = (await flushedWindows(tenant)).filter((window) => window.windowStart === start)
          expect(parts).toHaveLength(2)
        },
        { timeout: 10_000 },
      )
    })
    const parts = (await flushedWindows(tenant)).filter((window) => window.windowStart === start)
    expect(parts.map(({ count }) => count)).toEqual([3, 2])
    expect(new Set(parts.map(({ part }) => part)).size).toBe(2)
    expect(featuresOfParts(parts)).toEqual(featuresOfValues(start, values))
  })

  it('does not let one series with a wrong clock close the windows of another', async () => {
    const tenant = await createTenant()
    const now = Date.now()
    await withoutConsumer(async () => {
      await tenant.ingest(batch('ahead', [[now + 9 * 60_000, 1]], 'fast-clock'))
      await tenant.ingest(batch('fine', [[now, 1]], 'right-clock'))
      await tenant.ingest(batch('behind', [[now - 20 * 86_400_000, 1]], 'slow-clock'))
    })
    const open = await runInDurableObject(shardOf(tenant), (_, { storage }) =>
      storage.sql.exec<{ n: number }>('select count(*) as n from flushes').one(),
    )
    expect(open.n).toBe(0)
    expect(await flushedWindows(tenant)).toEqual([])
  })

  it('writes a handful of rows for a batch, however many series it carries', async () => {
    const tenant = await createTenant()
    await tenant.ingest(batch('first', [[Date.now(), 1]]))
    const rows = () =>
      runInDurableObject(shardOf(tenant), (_, { storage }) =>
        ['batches', 'journal', 'outbox', 'usage'].map(
          (table) => storage.sql.exec<{ n: number }>(`select count(*) as n from ${table}`).one().n,
        ),
      )
    const [batches, journal] = await rows()
    const now = Date.now()
    const series = Array.from({ length: 100 }, (_, i) => ({
      device: `device-${i}`,
      metric: 'm',
      points: Array.from({ length: 10 }, (_, k) => [now - k * 1000, k]),
    }))
    expect((await tenant.ingest({ batch_id: 'wide', series })).status).toBe(202)
    const after = await rows()
    expect([after[0], after[1], after[3]]).toEqual([batches! + 1, journal! + 1, 1])
  })

  it('refuses a key from the moment its revocation has been answered, with requests in flight', async () => {
    const tenant = await createTenant()
    await tenant.ingest(batch('warm-up', [[Date.now(), 0]]))
    const inFlight = Array.from({ length: 100 }, (_, i) =>
      tenant.ingest(batch(`flight-${i}`, [[Date.now() - i, i]])),
    )
    expect((await admin('DELETE', `/tenants/${tenant.id}/keys/${tenant.keyId}`)).status).toBe(204)
    const reader = await createKey(tenant.id, ['read'])
    const after = await Promise.all(
      Array.from({ length: 20 }, (_, i) => tenant.ingest(batch(`after-${i}`, [[Date.now() - i, i]]))),
    )
    expect(new Set(after.map(({ status }) => status))).toEqual(new Set([401]))
    const accepted = (await Promise.all(inFlight)).filter(({ status }) => status === 202).length
    const { total } = await (await reader.get('/v1/usage')).json<{ total: { batches: number } }>()
    expect(total.batches).toBe(accepted + 1)
  })
})
