import { describe, expect, it, vi } from 'vitest'
import { encodeFlush, type FlushedWindow } from '../../durable-objects/window-frames.ts'
import { deviceIdOf } from '../../telemetry/series-id.ts'
import { TenantShard } from '../index.ts'
import { consume, rowsOf } from '../testing/consume.ts'
import { sql } from '../testing/owner-sql.ts'
import { createTenant, seriesBatch } from '../testing/tenant.ts'

describe('the consumer of edgepulse-windows', () => {
  it('stores each flushed window and the usage once, marks the metric due, and readers see the window', async () => {
    const tenant = await createTenant()
    const start = Math.floor(Date.now() / 300_000) * 300_000 - 1_200_000
    const points = Array.from({ length: 300 }, (_, i) => [start + i * 1000, 230 + (i % 7) / 10])
    points.push([start + 700_000, 1]) // moves the watermark on; its own window stays open
    await tenant.ingest({ batch_id: 'w', series: [{ device: 'd', metric: 'm', unit: 'V', points }] })
    await vi.waitFor(async () => expect(await rowsOf(tenant)).toMatchObject({ windowed: 300 }), {
      ...{ timeout: 20_000, interval: 100 },
    })
    const [due] = await sql`select count(*)::int as n from due_metrics where tenant_id = ${tenant.id}`
    expect(due).toEqual({ n: 1 })
    const { data } = await (await tenant.get('/v1/metrics')).json<{ data: { id: string }[] }>()
    const windows = await (await tenant.get(`/v1/metrics/${data[0]?.id}/windows`)).json<{ data: unknown[] }>()
    expect(windows.data[0]).toMatchObject({ count: 300, min: 230, max: 230.6, median: 230.3 })
    const [usage] =
      await sql`select datapoints::int, batches::int from usage_daily where tenant_id = ${tenant.id}`
    expect(usage).toEqual({ datapoints: 301, batches: 1 })
  })

  it('answers a flush that was stored before by acknowledging it', async () => {
    const tenant = await createTenant()
    await tenant.ingest(seriesBatch('b'))
    const message = { tenant_id: tenant.id, shard: 0, flush_id: 4711 }
    expect(await consume('edgepulse-windows', [message, message])).toEqual({
      acked: ['m0', 'm1'],
      retried: [],
    })
  })

  it('tries a flush that cannot be read a few times instead of letting it go to be sent for ever', async () => {
    const tenant = await createTenant()
    const message = { tenant_id: tenant.id, shard: 0, flush_id: 1 }
    const flush = vi.spyOn(TenantShard.prototype, 'flush').mockReturnValue(new ArrayBuffer(3))
    try {
      const { acked, retried } = await consume('edgepulse-windows', [message], { attempts: 4 })
      expect({ acked, retried }).toEqual({ acked: [], retried: ['m0'] })
    } finally {
      flush.mockRestore()
    }
  })

  it('keeps the latest of what shards tell of a device, in whatever order it comes, and each shard’s own', async () => {
    const tenant = await createTenant()
    const at = Math.floor(Date.now() / 1000) * 1000
    const report = (change: number, quiet: boolean, asOfMs: number | null) => ({
      ...{ asOfMs, countFromMs: change },
      devices: [{ name: 'd', change, quiet, lastArrivalMs: at - 60_000, cadenceMs: 1000, gap: null }],
    })
    const tell = async (shard: number, presence: ReturnType<typeof report>) => {
      const bytes = encodeFlush({ windows: [], usage: [], presence }).buffer
      const flush = vi.spyOn(TenantShard.prototype, 'flush').mockReturnValue(bytes)
      await consume('edgepulse-windows', [{ tenant_id: tenant.id, shard, flush_id: 1 }])
      flush.mockRestore()
    }
    await tell(0, report(5, true, at))
    await tell(0, report(4, false, at - 5_000))
    await tell(0, report(6, true, null))
    await tell(1, report(1, false, at - 1_000))
    const devices =
      await sql`select shard, change::int, (extract(epoch from silent_since) * 1000)::float8 as silent from device_presence
      where tenant_id = ${tenant.id} order by shard`
    expect(devices).toEqual([
      { shard: 0, change: 6, silent: at - 60_000 },
      { shard: 1, change: 1, silent: null },
    ])
    const shards = await sql`select (extract(epoch from as_of) * 1000)::float8 as ms,
        (extract(epoch from count_from) * 1000)::float8 as since from shard_presence
      where tenant_id = ${tenant.id} order by shard`
    expect(shards).toEqual([
      { ms: at, since: 6 },
      { ms: at - 1_000, since: 1 },
    ])
  })

  it('does not take the time of a window for when its device was last heard of', async () => {
    const tenant = await createTenant()
    const ahead = Math.ceil(Date.now() / 300_000) * 300_000
    const old = ahead - 3_600_000
    const windows = [closedWindow('fast', ahead), closedWindow('known', ahead), closedWindow('new', old)]
    const heard = new Date(old + 60_000)
    await sql`insert into devices (tenant_id, id, external_id, last_seen_at)
      values (${tenant.id}, ${deviceIdOf(tenant.id, 'known')}, 'known', ${heard})`
    const bytes = encodeFlush({ windows, usage: [] }).buffer
    const flush = vi.spyOn(TenantShard.prototype, 'flush').mockReturnValue(bytes)
    try {
      await consume('edgepulse-windows', [{ tenant_id: tenant.id, shard: 0, flush_id: 1 }])
    } finally {
      flush.mockRestore()
    }
    const rows =
      await sql`select external_id, last_seen_at <= now() as past, (extract(epoch from last_seen_at) * 1000)::float8 as ms from devices
      where tenant_id = ${tenant.id} order by external_id`
    expect(rows.map(({ external_id, past }) => [external_id, past])).toEqual([
      ['fast', true],
      ['known', true],
      ['new', true],
    ])
    expect(rows[1]?.['ms']).toBe(heard.getTime())
    expect(rows[2]?.['ms']).toBe(old)
  })
})

function closedWindow(device: string, windowStart: number): FlushedWindow {
  return {
    ...{ name: { device, metric: 'm', unit: null }, windowStart, part: 1, count: 1, mean: 1, m2: 0 },
    ...{ min: 1, max: 1, median: 1, mad: 0, firstTs: windowStart, lastTs: windowStart },
    sketch: new Uint8Array(1),
  }
}
