import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { WINDOW_MS, windowStartOf } from '../telemetry/window.ts'
import { consume } from '../worker/testing/consume.ts'
import { createTenant, type TestTenant } from '../worker/testing/tenant.ts'
import { decodeFlush } from './window-frames.ts'

const shardOf = (tenant: TestTenant) => env.TENANT_SHARD.getByName(`${tenant.id}/0`)

afterEach(() => {
  vi.restoreAllMocks()
})

/** At one a second, so many batches come before an alarm of the Worker as it is deployed: FLUSH_INTERVAL_MS. */
const BATCHES_AN_ALARM = 15

const ring = (tenant: TestTenant) => runInDurableObject(shardOf(tenant), (instance) => instance.alarm())

/**
 * Counts what objects are billed for: rows that statements wrote, and a row for each alarm set. From here on alarms ring
 * when a test rings them: how many batches come before one must not depend on the machine.
 */
async function rowsWritten(tenant: TestTenant): Promise<{ value(): number; reset(): void }> {
  const cursors: SqlStorageCursor<Record<string, SqlStorageValue>>[] = []
  let alarms = 0
  await runInDurableObject(shardOf(tenant), (_, { storage }) => {
    const prototype = Object.getPrototypeOf(storage.sql)
    const exec = prototype.exec
    vi.spyOn(prototype, 'exec').mockImplementation(function (this: SqlStorage, ...args: unknown[]) {
      const cursor = exec.apply(this, args)
      cursors.push(cursor)
      return cursor
    })
    vi.spyOn(Object.getPrototypeOf(storage), 'setAlarm').mockImplementation(async () => {
      alarms += 1
    })
  })
  return {
    value: () => cursors.reduce((sum, cursor) => sum + cursor.rowsWritten, 0) + alarms,
    reset: () => {
      cursors.length = 0
      alarms = 0
    },
  }
}

/** Holds what is put on the queues back, until the test hands it to the consumers. */
function holdQueues(): { deliver(): Promise<void> } {
  const held: Record<string, unknown[]> = { 'edgepulse-batches': [], 'edgepulse-windows': [] }
  const hold = (body: unknown) => {
    const isFlush = typeof body === 'object' && body !== null && 'flush_id' in body
    held[isFlush ? 'edgepulse-windows' : 'edgepulse-batches']?.push(body)
  }
  const prototype = Object.getPrototypeOf(env.BATCHES)
  vi.spyOn(prototype, 'send').mockImplementation(async (body: unknown) => hold(body))
  vi.spyOn(prototype, 'sendBatch').mockImplementation(async (messages: unknown) => {
    for (const { body } of messages as Iterable<{ body: unknown }>) hold(body)
  })
  return {
    deliver: async () => {
      for (const [queue, bodies] of Object.entries(held)) await consume(queue, bodies.splice(0))
    },
  }
}

/** 1,000 datapoints over 100 series. */
function wideBatch(id: string, now: number) {
  const points = Array.from({ length: 10 }, (_, k) => [now - k * 1000, k])
  return {
    batch_id: id,
    series: Array.from({ length: 100 }, (_, i) => ({ device: `device-${i}`, metric: 'm', points })),
  }
}

describe('the rows that an object writes', () => {
  it('are at most 6 for a batch of 1,000 datapoints over 100 series, and at most 1 for a duplicate', async () => {
    const tenant = await createTenant()
    await tenant.ingest(wideBatch('first', Date.now()))
    const rows = await rowsWritten(tenant)
    expect((await tenant.ingest(wideBatch('second', Date.now()))).status).toBe(202)
    const batch = rows.value()
    rows.reset()
    const body = wideBatch('second', 0)
    const again = await tenant.ingest({
      ...body,
      batch_id: 'third',
      series: wideBatch('third', Date.now()).series,
    })
    expect(again.status).toBe(202)
    const repeated = wideBatch('repeated', Date.now())
    await tenant.ingest(repeated)
    rows.reset()
    expect((await tenant.ingest(repeated)).status).toBe(200)
    const duplicate = rows.value()
    console.warn(`rows written: ${batch} for a new batch, ${duplicate} for a duplicate`)
    expect(batch).toBeLessThanOrEqual(6)
    expect(batch).toBeGreaterThan(0)
    expect(duplicate).toBeLessThanOrEqual(1)
  })

  it('are at most 10 a batch with flush, checkpoint, manifest and acknowledgements, one batch a second for 5 minutes', async () => {
    const tenant = await createTenant()
    const start = windowStartOf(Date.now()) - 20 * WINDOW_MS
    await tenant.ingest(wideBatch('first', start - WINDOW_MS))
    const rows = await rowsWritten(tenant)
    const queues = holdQueues()
    for (let second = 0; second < 300; second += 1) {
      expect((await tenant.ingest(wideBatch(`b-${second}`, start + second * 1000))).status).toBe(202)
      if (second % BATCHES_AN_ALARM > 0) continue
      await ring(tenant)
      await queues.deliver()
    }
    await tenant.ingest(wideBatch('closes', start + 3 * WINDOW_MS))
    await vi.waitFor(
      async () => {
        await ring(tenant)
        await queues.deliver()
        const left = await runInDurableObject(shardOf(tenant), (_, { storage }) =>
          ['outbox', 'flushes'].map(
            (table) => storage.sql.exec<{ n: number }>(`select count(*) as n from ${table}`).one().n,
          ),
        )
        expect(left).toEqual([0, 0])
      },
      { timeout: 30_000, interval: 200 },
    )
    await shardOf(tenant).seal()
    const each = rows.value() / 301
    console.warn(`rows written: ${each.toFixed(2)} a batch with everything`)
    expect(each).toBeLessThanOrEqual(10)
  }, 60_000)
})

describe('one shard with 50,000 series', () => {
  const SERIES = 50_000
  const POINTS = 300
  const SERIES_A_BATCH = 500

  it('takes 300 datapoints of each within its memory bound, loses none, and wakes soon', async () => {
    const tenant = await createTenant({ plan: { series_limit: SERIES } })
    await tenant.ingest(wideBatch('configures', Date.now() - 7_200_000))
    const [key] = await env.TENANT_CONTROL.getByName(tenant.id).keyPage(1)
    const shard = shardOf(tenant)
    const windowStart = windowStartOf(Date.now()) - 10 * WINDOW_MS
    const held = vi.spyOn(Object.getPrototypeOf(env.WINDOWS), 'sendBatch').mockResolvedValue(undefined)
    let most = 0
    // In slices of 60 s, so that every series has its window open at the same time.
    for (let slice = 0; slice < 5; slice += 1) {
      for (let first = 0; first < SERIES; first += SERIES_A_BATCH) {
        await shard.admit(bulk(key!.hash, `bulk-${slice}-${first}`, first, windowStart + slice * 60_000))
      }
      most = Math.max(most, await shard.stateBytes())
    }
    const before = Date.now()
    await runInDurableObject(shard, (_, state) => state.abort('restarted by a test')).catch(() => {})
    await shardOf(tenant).verdicts([])
    const wakeMs = Date.now() - before
    const counts = await runInDurableObject(shardOf(tenant), (instance, { storage }) => ({
      flushed: storage.sql.exec<{ n: number }>('select count(*) as n from flushes').one().n,
      state: instance.stateBytes(),
    }))
    console.warn(
      `50,000 series × 300: at most ${(most / 2 ** 20).toFixed(1)} MiB of open windows, ${counts.flushed} flushes, woke in ${wakeMs} ms`,
    )
    expect(most).toBeLessThanOrEqual(32 * 2 ** 20)
    await env.TENANT_CONTROL.getByName(tenant.id).update({ plan: { allowedLatenessMs: -1e12 } })
    await vi.waitFor(async () => {
      await runDurableObjectAlarm(shardOf(tenant))
      expect((await shardOf(tenant).status()).openWindows).toBe(0)
    }, 20_000)
    expect(await countFlushed(tenant)).toBe(SERIES * POINTS + 1_000)
    held.mockRestore()
  }, 300_000)

  function bulk(keyHash: string, batchId: string, first: number, from: number) {
    const perSeries = 60
    const size = SERIES_A_BATCH * perSeries
    return {
      keyHash,
      batchId,
      sha256: new Uint8Array(32).buffer,
      archived: 'stored' as const,
      receivedAt: Date.now(),
      bytes: 1,
      traceId: new ArrayBuffer(16),
      rejected: new Uint32Array(),
      columns: {
        series: Array.from({ length: SERIES_A_BATCH }, (_, i) => ({
          device: `device-${first + i}`,
          metric: 'm',
          unit: null,
        })),
        offsets: Uint32Array.from({ length: SERIES_A_BATCH + 1 }, (_, i) => i * perSeries),
        ts: Float64Array.from({ length: size }, (_, i) => from + (i % perSeries) * 1000),
        values: Float64Array.from({ length: size }, (_, i) => (i * 7919) % 1000),
        ordinals: new Uint32Array(size),
      },
    }
  }

  async function countFlushed(tenant: TestTenant): Promise<number> {
    return runInDurableObject(shardOf(tenant), (_, { storage }) => {
      let count = 0
      for (const { bytes } of storage.sql.exec<{ bytes: ArrayBuffer }>('select bytes from flushes')) {
        for (const window of decodeFlush(new Uint8Array(bytes)).windows) count += window.count
      }
      return count
    })
  }
})
