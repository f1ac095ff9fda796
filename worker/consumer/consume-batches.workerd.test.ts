import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import { batchMessage, consume, persisted, rowsOf, withoutQueue } from '../testing/consume.ts'
import { sql } from '../testing/owner-sql.ts'
import { createTenant, seriesBatch } from '../testing/tenant.ts'

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

  it('stores what the door let in just before the border of a day that is dropped by then', async () => {
    const retention_days = 33
    const tenant = await createTenant({ plan: { retention_days } })
    const ts = Date.now() - retention_days * 86_400_000 + 5_000
    const batch = (batch_id: string, at: number) => ({
      ...{ batch_id, series: [{ device: 'd', metric: 'm', points: [[at, 1]] }] },
    })
    await withoutQueue(() => tenant.ingest(batch('inside', ts)))
    await sql.query(
      `drop table if exists datapoints_${new Date(ts).toISOString().slice(0, 10).replaceAll('-', '')}`,
    )
    expect(await consume('edgepulse-batches', [batchMessage(tenant, 'inside')])).toMatchObject({
      acked: ['m0'],
    })
    expect(await rowsOf(tenant)).toMatchObject({ batches: 1, datapoints: 1 })
    expect(await (await tenant.get('/v1/batches/inside')).json()).toMatchObject({ status: 'persisted' })
    const beyond = await tenant.ingest(batch('beyond', ts - 10_000))
    expect(await beyond.json()).toMatchObject({ errors: [{ code: 'timestamp_too_old' }] })
  })

  it('gets a batch whose queue message was never sent from the outbox', async () => {
    const tenant = await createTenant()
    const answer = await withoutQueue(() => tenant.ingest(seriesBatch('unsent')))
    expect(answer.status).toBe(202)
    await persisted(tenant, 'unsent')
    expect(await rowsOf(tenant)).toMatchObject({ batches: 1, datapoints: 10 })
  })
})
