import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import { createTenant, request, seriesBatch } from '../testing/tenant.ts'

describe('POST /v1/ingest', () => {
  it('stores a batch', async () => {
    const tenant = await createTenant()
    const answer = await tenant.ingest(seriesBatch('b-1'))
    const body = await answer.json()
    console.log(body)
    expect(answer.status).toBe(202)
    await vi.waitFor(
      async () => {
        const status = await (await tenant.get('/v1/batches/b-1')).json<{ status: string }>()
        expect(status.status).toBe('persisted')
      },
      { timeout: 10_000, interval: 200 },
    )
    for (const path of ['/v1/devices', '/v1/metrics', '/v1/usage', '/v1/anomalies']) console.log(path, await (await tenant.get(path)).text())
    const m = await (await tenant.get('/v1/metrics')).json<any>()
    console.log(await (await tenant.get(`/v1/metrics/${m.data[0].id}/datapoints?limit=3`)).text())
    console.log(await (await tenant.get(`/v1/metrics/${m.data[0].id}/windows`)).text())
    console.log(await (await request('/v1/ingest')).text())
    console.log((await env.ARCHIVE.list()).objects.map(o=>o.key))
  })
})
