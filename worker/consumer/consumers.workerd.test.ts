import { createExecutionContext, createMessageBatch, getQueueResult } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import { connect } from '../../durable-objects/connect-database.ts'
import worker, { TenantControl, TenantShard } from '../index.ts'
import { admin, createTenant, seriesBatch, type TestTenant } from '../testing/tenant.ts'

const sql = connect(env)

/** Hands bodies to a consumer as one queue batch and tells what became of each. */
async function consume(queue: string, bodies: unknown[], { attempts = 1, bindings = env } = {}) {
  const messages = bodies.map((body, i) => ({ id: `m${i}`, timestamp: new Date(), attempts, body }))
  const batch = createMessageBatch(queue, messages)
  const context = createExecutionContext()
  await worker.queue(batch, bindings)
  const result = await getQueueResult(batch, context)
  return {
    acked: result.explicitAcks,
    retried: result.retryMessages.map(({ msgId }: { msgId: string }) => msgId),
  }
}

const batchMessage = (tenant: TestTenant, batchId: string) => ({
  ...{ tenant_id: tenant.id, batch_id: batchId, r2_key: `raw/${tenant.id}/${batchId}` },
})

async function rowsOf(tenant: TestTenant) {
  const [row] = await sql`select
    (select count(*)::int from datapoints where tenant_id = ${tenant.id}) as datapoints,
    (select count(*)::int from batches where tenant_id = ${tenant.id} and status = 'persisted') as batches,
    (select count(*)::int from devices where tenant_id = ${tenant.id}) as devices,
    (select count(*)::int from metrics where tenant_id = ${tenant.id}) as metrics,
    (select coalesce(sum(count), 0)::int from window_aggregates where tenant_id = ${tenant.id}) as windowed`
  return row
}

async function persisted(tenant: TestTenant, batchId: string): Promise<void> {
  await vi.waitFor(
    async () => {
      const batch = await (await tenant.get(`/v1/batches/${batchId}`)).json<{ status: string }>()
      expect(batch.status).toBe('persisted')
    },
    { timeout: 20_000, interval: 100 },
  )
}

/** A tenant whose accepted batches stay in the outbox: its queue messages do not get through. */
async function withoutQueue<T>(work: () => Promise<T>): Promise<T> {
  const send = vi
    .spyOn(Object.getPrototypeOf(env.BATCHES), 'send')
    .mockRejectedValue(new Error('queue is away'))
  try {
    return await work()
  } finally {
    send.mockRestore()
  }
}

describe('the consumer of edgepulse-batches', () => {
  it('stores a batch once however often its message comes', async () => {
    const tenant = await createTenant()
    await withoutQueue(() => tenant.ingest(seriesBatch('b', 100)))
    const message = batchMessage(tenant, 'b')
    expect(await consume('edgepulse-batches', [message, message])).toEqual({
      acked: ['m0', 'm1'],
      retried: [],
    })
    const stored = { datapoints: 100, batches: 1, devices: 1, metrics: 1 }
    expect(await rowsOf(tenant)).toMatchObject(stored)
    expect(await consume('edgepulse-batches', [message])).toEqual({ acked: ['m0'], retried: [] })
    expect(await rowsOf(tenant)).toMatchObject(stored)
  })

  it('stores exactly what the 202 counted, and not what it rejected', async () => {
    const tenant = await createTenant()
    const now = Date.now()
    const points = [
      ...[
        [now, 1],
        [now - 1000, null],
        [now - 2000, 3],
        [now - 2000, 4],
        [now + 3_600_000, 5],
      ],
      ...[[now - 31 * 86_400_000, 6]],
    ]
    const answer = await tenant.ingest({ batch_id: 'mixed', series: [{ device: 'd', metric: 'm', points }] })
    expect(await answer.json()).toMatchObject({ datapoints: 2, rejected: 4 })
    await persisted(tenant, 'mixed')
    const rows = await sql`select value from datapoints where tenant_id = ${tenant.id} order by ts`
    expect(rows.map(({ value }) => value)).toEqual([4, 1])
  })

  it('lets a later batch correct a value in whatever order the two are stored', async () => {
    const tenant = await createTenant()
    const ts = Date.now() - 1000
    const batch = (id: string, value: number) => ({
      ...{ batch_id: id, series: [{ device: 'd', metric: 'm', points: [[ts, value]] }] },
    })
    await withoutQueue(async () => {
      await tenant.ingest(batch('first', 1))
      await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(ts + 1001))
      await tenant.ingest(batch('correction', 2))
    })
    for (const id of ['correction', 'first']) await consume('edgepulse-batches', [batchMessage(tenant, id)])
    const rows = await sql`select value from datapoints where tenant_id = ${tenant.id}`
    expect(rows).toEqual([{ value: 2 }])
  })

  it('keeps a message that is at fault from taking its neighbours along', async () => {
    const tenant = await createTenant()
    await withoutQueue(async () => {
      for (const id of ['good-1', 'good-2']) await tenant.ingest(seriesBatch(id))
    })
    await env.ARCHIVE.put(`raw/${tenant.id}/orphan`, '{}', {
      customMetadata: { home_shard: '0', sha256: 'none', received_at: 'never' },
    })
    const bodies = [
      batchMessage(tenant, 'good-1'),
      batchMessage(tenant, 'orphan'),
      'not a message',
      batchMessage(tenant, 'missing'),
      batchMessage(tenant, 'good-2'),
    ]
    const { acked, retried } = await consume('edgepulse-batches', bodies)
    expect(acked.sort()).toEqual(['m0', 'm4'])
    expect(retried.sort()).toEqual(['m1', 'm2', 'm3'])
    expect(await rowsOf(tenant)).toMatchObject({ batches: 2 })
  })

  it('tries again while Postgres is away, then leaves the batch to its outbox instead of the dead letters', async () => {
    const tenant = await createTenant()
    await withoutQueue(() => tenant.ingest(seriesBatch('b')))
    const away = { ...env, NEON_PROXY_URL: 'http://127.0.0.1:1/sql' }
    const first = await consume('edgepulse-batches', [batchMessage(tenant, 'b')], { bindings: away })
    expect(first).toEqual({ acked: [], retried: ['m0'] })
    const fourth = await consume('edgepulse-batches', [batchMessage(tenant, 'b')], {
      attempts: 4,
      bindings: away,
    })
    expect(fourth).toEqual({ acked: ['m0'], retried: [] })
    expect(await (await tenant.get('/v1/batches/b')).json()).toMatchObject({ status: 'accepted' })
    await persisted(tenant, 'b')
    expect(await rowsOf(tenant)).toMatchObject({ batches: 1, datapoints: 10 })
  })

  it('gets a batch whose queue message was never sent from the outbox', async () => {
    const tenant = await createTenant()
    const answer = await withoutQueue(() => tenant.ingest(seriesBatch('unsent')))
    expect(answer.status).toBe(202)
    await persisted(tenant, 'unsent')
    expect(await rowsOf(tenant)).toMatchObject({ batches: 1, datapoints: 10 })
  })
})

describe('the consumer of edgepulse-batches, of what is hard to store', () => {
  it('stores a batch of 50,000 series, more than one transaction takes, and acknowledges it once', async () => {
    const tenant = await createTenant()
    const now = Date.now()
    const series = Array.from({ length: 50_000 }, (_, i) => ({
      ...{ device: `device-${i}`, metric: 'temperature-of-the-bearing', unit: 'C', points: [[now, 1 / 3]] },
    }))
    await withoutQueue(() => tenant.ingest({ batch_id: 'wide', series }))
    const { acked } = await consume('edgepulse-batches', [batchMessage(tenant, 'wide')])
    expect(acked).toEqual(['m0'])
    expect(await rowsOf(tenant)).toMatchObject({ datapoints: 50_000, metrics: 50_000, batches: 1 })
    expect(await (await tenant.get('/v1/batches/wide')).json()).toMatchObject({ status: 'persisted' })
  })

  it('acknowledges a batch that is persisted already without reading or writing it again', async () => {
    const tenant = await createTenant()
    await withoutQueue(() => tenant.ingest(seriesBatch('b')))
    await consume('edgepulse-batches', [batchMessage(tenant, 'b')])
    await sql`delete from datapoints where tenant_id = ${tenant.id}`
    expect(await consume('edgepulse-batches', [batchMessage(tenant, 'b')])).toMatchObject({ acked: ['m0'] })
    expect(await rowsOf(tenant)).toMatchObject({ datapoints: 0, batches: 1 })
  })

  it('takes an archive object with other content for what it is: not what was accepted', async () => {
    const tenant = await createTenant()
    await withoutQueue(() => tenant.ingest(seriesBatch('b')))
    const key = `raw/${tenant.id}/b`
    const object = await env.ARCHIVE.head(key)
    const forged = JSON.stringify(seriesBatch('b', 10, 'another'))
    await env.ARCHIVE.put(key, forged, { customMetadata: object!.customMetadata! })
    const { acked, retried } = await consume('edgepulse-batches', [batchMessage(tenant, 'b')])
    expect({ acked, retried }).toEqual({ acked: [], retried: ['m0'] })
    expect(await rowsOf(tenant)).toMatchObject({ datapoints: 0, devices: 0 })
  })

  it('lets go of the messages of a tenant that is being deleted or is gone', async () => {
    const tenant = await createTenant()
    await withoutQueue(() => tenant.ingest(seriesBatch('b')))
    const deletion = vi.spyOn(TenantControl.prototype, 'alarm').mockResolvedValue() // it stays at its start
    try {
      expect((await admin('DELETE', `/tenants/${tenant.id}`)).status).toBe(202)
      await env.ARCHIVE.delete(`raw/${tenant.id}/b`)
      const nobody = { ...batchMessage(tenant, 'b'), tenant_id: crypto.randomUUID(), r2_key: 'raw/nobody/b' }
      const batches = [batchMessage(tenant, 'b'), nobody]
      expect(await consume('edgepulse-batches', batches)).toEqual({ acked: ['m0', 'm1'], retried: [] })
      const flush = { tenant_id: nobody.tenant_id, shard: 0, flush_id: 1 }
      expect((await consume('edgepulse-dlq', [...batches, flush])).retried).toEqual([])
      expect(await sql`select 1 from dead_letters where tenant_id = ${nobody.tenant_id}`).toEqual([])
    } finally {
      deletion.mockRestore()
    }
  })

  it('keeps the unit of the batch received last when an older one is stored after it', async () => {
    const tenant = await createTenant()
    const ts = Date.now() - 1000
    const batch = (id: string, unit: string, at: number) => ({
      ...{ batch_id: id, series: [{ device: 'd', metric: 'm', unit, points: [[at, 1]] }] },
    })
    await withoutQueue(async () => {
      await tenant.ingest(batch('older', 'C', ts))
      await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(ts + 1001))
      await tenant.ingest(batch('newer', 'F', ts - 60_000))
    })
    for (const id of ['newer', 'older']) await consume('edgepulse-batches', [batchMessage(tenant, id)])
    expect(await sql`select unit from metrics where tenant_id = ${tenant.id}`).toEqual([{ unit: 'F' }])
  })
})

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
})

describe('the consumer of the dead letter queue', () => {
  it('keeps a message once, however often it comes, and parks a flush', async () => {
    const tenant = await createTenant()
    const failFlush = vi.spyOn(TenantShard.prototype, 'failFlush')
    const flush = { tenant_id: tenant.id, shard: 0, flush_id: 7 }
    try {
      await consume('edgepulse-dlq', [flush, flush])
      await consume('edgepulse-dlq', [flush])
      expect(await sql`select body from dead_letters where tenant_id = ${tenant.id}`).toEqual([
        { body: flush },
      ])
      expect(failFlush).toHaveBeenCalledWith(7)
    } finally {
      failFlush.mockRestore()
    }
  })

  it('keeps the message with its reason and shows the batch as failed', async () => {
    const tenant = await createTenant()
    await withoutQueue(() => tenant.ingest(seriesBatch('dead')))
    await consume('edgepulse-dlq', [batchMessage(tenant, 'dead'), 'garbage'])
    const letters = await sql`select body from dead_letters where tenant_id = ${tenant.id}`
    expect(letters).toEqual([{ body: batchMessage(tenant, 'dead') }])
    const batch = await (await tenant.get('/v1/batches/dead')).json<{ status: string; error: string }>()
    expect(batch).toMatchObject({ status: 'failed', error: expect.stringContaining('gave up') })
  })

  it('tries again while Postgres is away', async () => {
    const away = { ...env, NEON_PROXY_URL: 'http://127.0.0.1:1/sql' }
    const { acked, retried } = await consume('edgepulse-dlq', ['garbage'], { attempts: 9, bindings: away })
    expect({ acked, retried }).toEqual({ acked: [], retried: ['m0'] })
  })
})
