import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import { TenantShard } from '../index.ts'
import { batchMessage, consume, persisted, rowsOf, withoutQueues } from '../testing/consume.ts'
import { sql } from '../testing/owner-sql.ts'
import type { Page } from '../testing/reads.ts'
import { admin, createTenant, seriesBatch, type TestTenant } from '../testing/tenant.ts'

const shardOf = (tenant: TestTenant) => env.TENANT_SHARD.getByName(`${tenant.id}/0`)

const lettersOf = async (tenant: TestTenant, more = '') => {
  const answer = await admin('GET', `/dead-letters?tenant=${tenant.id}${more}`)
  return answer.json<Page>()
}

async function retry(id: unknown) {
  const answer = await admin('POST', `/dead-letters/${id}/retry`)
  return answer.status === 200 ? (await answer.json<{ outcome: string }>()).outcome : answer.status
}

async function retryAll(tenant: TestTenant) {
  const { data } = await lettersOf(tenant)
  return Promise.all(data.map(({ id }) => retry(id)))
}

const statusOf = async (tenant: TestTenant, batchId: string) => {
  const batch = await (await tenant.get(`/v1/batches/${batchId}`)).json<{ status: string; error: unknown }>()
  const { batches_failed, warnings } = await (await tenant.get('/v1/status')).json<{
    batches_failed: number
    warnings: { code: string }[]
  }>()
  return {
    status: batch.status,
    error: batch.error,
    batches_failed,
    warnings: warnings.map(({ code }) => code),
  }
}

const FAILED = {
  ...{ status: 'failed', error: expect.any(String), batches_failed: 1, warnings: ['batches_failed'] },
}
const STORED = { status: 'persisted', error: null, batches_failed: 0, warnings: [] }

/** A tenant with a batch whose archive object was changed, which has failed for that. */
async function failedBatch() {
  const tenant = await createTenant()
  const message = batchMessage(tenant, 'b')
  return withoutQueues(async () => {
    await tenant.ingest(seriesBatch('b'))
    const object = (await env.ARCHIVE.get(message.r2_key))!
    const metadata = { customMetadata: object.customMetadata!, httpMetadata: object.httpMetadata! }
    const right = await object.bytes()
    const put = (bytes: Uint8Array | string) => env.ARCHIVE.put(message.r2_key, bytes, metadata)
    await put('{}')
    expect(await consume('edgepulse-batches', [message])).toEqual({ acked: [], retried: ['m0'] })
    await consume('edgepulse-dlq', [message])
    return { tenant, message, mend: () => put(right) }
  })
}

/** A tenant with a closed window that could not be stored. */
async function failedFlush() {
  const tenant = await createTenant()
  const start = Math.floor(Date.now() / 300_000) * 300_000 - 1_200_000
  const points = [0, 1, 700].map((second) => [start + second * 1000, second])
  return withoutQueues(async () => {
    await tenant.ingest({ batch_id: 'w', series: [{ device: 'd', metric: 'm', points }] })
    const flushId = await vi.waitFor(() => firstFlush(tenant), { timeout: 10_000 })
    const message = { tenant_id: tenant.id, shard: 0, flush_id: flushId }
    const unreadable = vi.spyOn(TenantShard.prototype, 'flush').mockReturnValue(new ArrayBuffer(3))
    expect(await consume('edgepulse-windows', [message])).toEqual({ acked: [], retried: ['m0'] })
    await consume('edgepulse-dlq', [message])
    unreadable.mockRestore()
    return { tenant, message }
  })
}

const firstFlush = (tenant: TestTenant) =>
  runInDurableObject(shardOf(tenant), (_, { storage }) => {
    return storage.sql.exec<{ id: number }>('select id from flushes order by id limit 1').one().id
  })

const windowed = (tenant: TestTenant, count: number) =>
  vi.waitFor(async () => expect(await rowsOf(tenant)).toMatchObject({ windowed: count }), {
    ...{ timeout: 20_000, interval: 100 },
  })

describe('a batch that failed', () => {
  it('is listed, sent again once its cause is mended, and then nowhere called failed any more', async () => {
    const { tenant, message, mend } = await failedBatch()
    const { data } = await lettersOf(tenant)
    expect(data).toMatchObject([
      { tenant_id: tenant.id, message, reason: 'the archive holds other content than what was accepted' },
    ])
    expect(await statusOf(tenant, 'b')).toEqual(FAILED)
    await mend()
    expect(await retry(data[0]?.['id'])).toBe('sent')
    await persisted(tenant, 'b')
    expect(await statusOf(tenant, 'b')).toEqual(STORED)
    expect(await rowsOf(tenant)).toMatchObject({ batches: 1, datapoints: 10 })
    expect(await lettersOf(tenant)).toEqual({ data: [], next_cursor: null })
    expect(await retry(data[0]?.['id'])).toBe(404)
  })

  it('is no longer failed while it is on its way, and failed again if it was not mended', async () => {
    const { tenant, message } = await failedBatch()
    await withoutQueues(async () => {
      expect(await retryAll(tenant)).toEqual(['sent'])
      expect(await statusOf(tenant, 'b')).toEqual({ ...STORED, status: 'accepted' })
      await consume('edgepulse-dlq', [message])
      expect(await statusOf(tenant, 'b')).toEqual(FAILED)
    })
    expect((await lettersOf(tenant)).data).toMatchObject([{ message }])
  })

  it('is stored once when two operators send it again at the same time', async () => {
    const { tenant, mend } = await failedBatch()
    await mend()
    const [{ id } = {}] = (await lettersOf(tenant)).data
    const outcomes = await Promise.all([retry(id), retry(id), retry(id)])
    expect(outcomes).toContain('sent')
    for (const outcome of outcomes) expect(['sent', 'cleared', 404]).toContain(outcome)
    await persisted(tenant, 'b')
    expect(await rowsOf(tenant)).toMatchObject({ batches: 1, datapoints: 10 })
    expect(await statusOf(tenant, 'b')).toEqual(STORED)
  })

  it('is sent by the shard itself when the queue takes nothing from the retry, also after the shard died', async () => {
    const { tenant, mend } = await failedBatch()
    await mend()
    await withoutQueues(async () => expect(await retryAll(tenant)).toEqual(['sent']))
    await evictDurableObject(shardOf(tenant))
    await persisted(tenant, 'b')
    expect(await statusOf(tenant, 'b')).toEqual(STORED)
  })

  it('keeps its letter when the retry dies before removing it, and the next retry clears it', async () => {
    const { tenant, mend } = await failedBatch()
    await mend()
    await shardOf(tenant).retryBatch('b') // all that the retry came to
    await persisted(tenant, 'b')
    expect(await statusOf(tenant, 'b')).toEqual(STORED)
    expect(await retryAll(tenant)).toEqual(['cleared'])
    expect((await lettersOf(tenant)).data).toEqual([])
  })

  it('keeps a letter that was written again while it was being removed', async () => {
    const { tenant, message } = await failedBatch()
    const retryBatch = vi.spyOn(TenantShard.prototype, 'retryBatch').mockImplementation(async () => {
      await consume('edgepulse-dlq', [message])
      return 'sent'
    })
    try {
      expect(await retryAll(tenant)).toEqual(['sent'])
    } finally {
      retryBatch.mockRestore()
    }
    expect((await lettersOf(tenant)).data).toMatchObject([{ message }])
    expect(await statusOf(tenant, 'b')).toEqual(FAILED)
  })

  it('gets its letter back when a retry came before the shard had let go of it', async () => {
    const { tenant, message } = await failedBatch()
    const { failBatch } = TenantShard.prototype
    const crossed = vi.spyOn(TenantShard.prototype, 'failBatch').mockImplementation(async function crossed(
      this: TenantShard,
      ...args
    ) {
      await withoutQueues(() => retryAll(tenant))
      failBatch.apply(this, args)
    })
    try {
      await consume('edgepulse-dlq', [message])
    } finally {
      crossed.mockRestore()
    }
    expect((await lettersOf(tenant)).data).toMatchObject([{ message }])
    expect(await statusOf(tenant, 'b')).toEqual(FAILED)
  })

  it('says so and stays when the archive does not hold it, and is not sent by anybody else', async () => {
    const { tenant, message, mend } = await failedBatch()
    await withoutQueues(() => retryAll(tenant)) // in the outbox again
    await env.ARCHIVE.delete(message.r2_key)
    await consume('edgepulse-dlq', [message])
    expect(await shardOf(tenant).status()).toMatchObject({ batchesPending: 0 })
    expect(await retryAll(tenant)).toEqual(['kept'])
    expect((await lettersOf(tenant)).data).toHaveLength(1)
    await mend()
    expect(await retryAll(tenant)).toEqual(['sent'])
    await persisted(tenant, 'b')
  })
})

describe('a flush that failed', () => {
  it('is sent again and stored, though more than one asks for it', async () => {
    const { tenant, message } = await failedFlush()
    const [letter] = (await lettersOf(tenant)).data
    expect(letter).toMatchObject({ message })
    expect(await Promise.all([retry(letter?.['id']), retry(letter?.['id'])])).toContain('sent')
    await windowed(tenant, 2)
    expect((await lettersOf(tenant)).data).toEqual([])
    expect(await shardOf(tenant).flush(message.flush_id)).toBeUndefined()
  })

  it('is cleared once the shard no longer holds it', async () => {
    const { tenant, message } = await failedFlush()
    expect(await consume('edgepulse-windows', [message])).toEqual({ acked: ['m0'], retried: [] })
    expect(await retryAll(tenant)).toEqual(['cleared'])
    expect((await lettersOf(tenant)).data).toEqual([])
  })
})

describe('other letters', () => {
  it('stay when they are no messages of ours, or of a batch that was never accepted', async () => {
    const tenant = await createTenant()
    const garbage = `garbage ${crypto.randomUUID()}`
    await env.ARCHIVE.put(`raw/${tenant.id}/orphan`, '{}', {
      customMetadata: { home_shard: '0', sha256: 'none', received_at: 'never' },
    })
    await consume('edgepulse-dlq', [garbage, batchMessage(tenant, 'orphan')])
    expect(await retryAll(tenant)).toEqual(['kept'])
    const [row] = await sql`select id::text from dead_letters where body = ${JSON.stringify(garbage)}::jsonb`
    expect(await retry(row?.['id'])).toBe('kept')
    const before = Buffer.from(String(Number(row?.['id']) - 1)).toString('base64url')
    const { data } = await (await admin('GET', `/dead-letters?limit=1&cursor=${before}`)).json<Page>()
    expect(data).toMatchObject([{ id: row?.['id'], tenant_id: null, message: JSON.stringify(garbage) }])
  })

  it('of a tenant that was deleted are cleared', async () => {
    const { tenant } = await failedBatch()
    const [{ id } = {}] = (await lettersOf(tenant)).data
    await admin('DELETE', `/tenants/${tenant.id}`)
    expect(['cleared', 404]).toContain(await retry(id)) // 404 once the deletion itself has come so far
    expect((await lettersOf(tenant)).data).toEqual([])
  })

  it('come in pages, oldest first, of one tenant alone', async () => {
    const [tenant, other] = [await createTenant(), await createTenant()]
    const messages = ['a', 'b', 'c'].map((id) => batchMessage(tenant, id))
    await consume('edgepulse-dlq', [...messages, batchMessage(other, 'd')])
    const first = await lettersOf(tenant, '&limit=2')
    const second = await lettersOf(tenant, `&limit=2&cursor=${first.next_cursor}`)
    expect([...first.data, ...second.data].map(({ message }) => message)).toEqual(messages)
    expect(second.next_cursor).toBeNull()
    expect(await (await admin('GET', '/dead-letters?tenant=nobody')).json()).toEqual({
      ...{ data: [], next_cursor: null },
    })
  })

  it.each(['0', '1.5', '999999999999999', 'x', '-1'])('answers 404 to the id %s', async (id) => {
    expect(await retry(id)).toBe(404)
  })
})
