import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import { TenantControl, TenantShard } from '../index.ts'
import { batchMessage, consume, rowsOf, withoutQueue } from '../testing/consume.ts'
import { sql } from '../testing/owner-sql.ts'
import { admin, createTenant, seriesBatch } from '../testing/tenant.ts'

describe('the consumer of edgepulse-batches, of what is hard to store', () => {
  it('stores a batch of 50,000 series, more than one transaction takes, and acknowledges it once', async () => {
    const tenant = await createTenant()
    const now = Date.now()
    const series = Array.from({ length: 50_000 }, (_, i) => ({
      ...{ device: `device-${i}`, metric: 'temperature-of-the-bearing', unit: 'C', points: [[now, 1 / 3]] },
    }))
    const held = vi.spyOn(TenantShard.prototype, 'alarm').mockResolvedValue() // no second consumer of it
    // As a gateway sends: on a busy machine the first answer may be that it takes too long.
    const sent = async () =>
      expect([200, 202]).toContain((await tenant.ingest({ batch_id: 'wide', series })).status)
    await withoutQueue(() => vi.waitFor(sent, { timeout: 60_000, interval: 1_000 }))
    const { acked } = await consume('edgepulse-batches', [batchMessage(tenant, 'wide')])
    held.mockRestore()
    expect(acked).toEqual(['m0'])
    expect(await rowsOf(tenant)).toMatchObject({ datapoints: 50_000, metrics: 50_000, batches: 1 })
    expect(await (await tenant.get('/v1/batches/wide')).json()).toMatchObject({ status: 'persisted' })
  }, 120_000)

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
