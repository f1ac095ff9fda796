import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import { TenantShard } from '../index.ts'
import { batchMessage, consume, withoutQueue } from '../testing/consume.ts'
import { sql } from '../testing/owner-sql.ts'
import { createTenant, seriesBatch } from '../testing/tenant.ts'

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
