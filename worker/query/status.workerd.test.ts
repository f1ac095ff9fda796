import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { TenantShard } from '../index.ts'
import { batchMessage, consume, withoutQueue } from '../testing/consume.ts'
import { sql } from '../testing/owner-sql.ts'
import { createTenant, type TestTenant } from '../testing/tenant.ts'

const WINDOW_MS = 300_000
const statusOf = async (tenant: TestTenant) =>
  (await tenant.get('/v1/status')).json<Record<string, unknown>>()

const point = (batch_id: string, device: string, ts = Date.now()) => ({
  ...{ batch_id, source: device, series: [{ device, metric: 'm', points: [[ts, 1]] }] },
})

const receivedAt = async (answer: Response) => (await answer.json<{ received_at: string }>()).received_at

const nothing = {
  ...{ last_batch_at: null, batches_pending: 0, oldest_pending_seconds: null, batches_failed: 0 },
  ...{ open_windows: 0, last_window_end: null, last_scored_window_end: null },
  ...{ series_used: 0, series_limit: 100_000, warnings: [] },
  rate: { datapoints_per_second: 0, batches_per_second: 0, limit: null },
}

afterEach(() => {
  vi.restoreAllMocks()
})

describe('GET /v1/status', () => {
  it('tells of a tenant that has sent nothing that there is nothing', async () => {
    expect(await statusOf(await createTenant())).toEqual(nothing)
  })

  it('follows batches over all shards from their arrival until they are stored or given up', async () => {
    vi.spyOn(TenantShard.prototype, 'alarm').mockResolvedValue() // nothing is sent again meanwhile
    const limit = { datapoints_per_second: 1000, batches_per_second: 100 }
    const tenant = await createTenant({ plan: { shards: 4, rate_limit: limit, series_limit: 5 } })
    const answers = await withoutQueue(async () => {
      const sent = [point('a', 'gateway-0'), point('b', 'gateway-1'), point('c', 'gateway-2')]
      const first: Response[] = []
      for (const body of sent) first.push(await tenant.ingest(body)) // together, a later call would announce them
      await tenant.ingest(sent[0]) // a duplicate is no batch more
      return first
    })
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202])
    const arrivals = await Promise.all(answers.map(receivedAt))
    const pending = {
      ...nothing,
      ...{ last_batch_at: arrivals.toSorted().at(-1), batches_pending: 3, open_windows: 3 },
      ...{ oldest_pending_seconds: expect.any(Number), series_used: 3, series_limit: 5 },
      rate: {
        datapoints_per_second: expect.closeTo(3 / 60),
        batches_per_second: expect.closeTo(3 / 60),
        limit,
      },
    }
    expect(await statusOf(tenant)).toEqual(pending)
    await age(tenant, 'a', 90_500)
    expect(await statusOf(tenant)).toMatchObject({ oldest_pending_seconds: 90 })
    await consume('edgepulse-batches', [batchMessage(tenant, 'a'), batchMessage(tenant, 'b')])
    expect(await statusOf(tenant)).toMatchObject({ batches_pending: 1, batches_failed: 0 })
    await consume('edgepulse-dlq', [batchMessage(tenant, 'c')])
    expect(await statusOf(tenant)).toEqual({
      ...{ ...pending, batches_pending: 0, oldest_pending_seconds: null, batches_failed: 1 },
      warnings: [{ code: 'batches_failed', message: expect.any(String), batches_failed: 1 }],
    })
  })

  it('shows the newest window that was stored and the newest that was scored', async () => {
    const tenant = await createTenant()
    const start = Math.floor(Date.now() / WINDOW_MS) * WINDOW_MS - 10 * WINDOW_MS
    const points = [0, 1, 4].map((windows) => [start + windows * WINDOW_MS, 1])
    await tenant.ingest({ batch_id: 'b', series: [{ device: 'd', metric: 'm', points }] })
    const end = new Date(start + 2 * WINDOW_MS).toISOString()
    await vi.waitFor(
      async () => expect(await statusOf(tenant)).toMatchObject({ open_windows: 1, last_window_end: end }),
      { timeout: 20_000, interval: 100 },
    )
    const { data } = await (await tenant.get('/v1/metrics')).json<{ data: { id: string }[] }>()
    for (const windows of [1, 2]) {
      const [from, to] = [windows - 1, windows].map((n) => new Date(start + n * WINDOW_MS))
      await sql`insert into anomaly_scores (tenant_id, metric_id, window_start, window_end, score, onset_score,
          state, scored_at) values (${tenant.id}, ${data[0]?.id}, ${from}, ${to}, 0, 0, 'learning', now())`
      expect(await statusOf(tenant)).toMatchObject({ last_scored_window_end: to?.toISOString() })
    }
  })

  it('warns when nine tenths of the series are used, and when all are', async () => {
    const tenant = await createTenant({ plan: { series_limit: 10 } })
    const used = async (n: number) => {
      const now = Date.now()
      const series = Array.from({ length: n }, (_, i) => ({
        device: `d-${i}`,
        metric: 'm',
        points: [[now, 1]],
      }))
      await tenant.ingest({ series })
      return (await statusOf(tenant))['warnings']
    }
    const figures = { message: expect.any(String), series_limit: 10 }
    expect(await used(8)).toEqual([])
    expect(await used(9)).toEqual([{ code: 'series_limit_near', series_used: 9, ...figures }])
    expect(await used(10)).toEqual([{ code: 'series_limit_reached', series_used: 10, ...figures }])
  })
})

describe('the partitions of datapoints, in GET /v1/status', () => {
  const code = async (tenant: TestTenant) => {
    const { warnings } = await (await tenant.get('/v1/status')).json<{ warnings: { code: string }[] }>()
    return warnings.map((warning) => warning.code)
  }

  it('are warned of to whom has datapoints in the default one, and to nobody else', async () => {
    const [tenant, other] = [await createTenant(), await createTenant()]
    await sql`insert into datapoints (tenant_id, metric_id, ts, value)
      values (${tenant.id}, ${crypto.randomUUID()}, '2091-01-01', 1)`
    expect([await code(tenant), await code(other)]).toEqual([['default_partition_filled'], []])
    await sql`delete from datapoints where tenant_id = ${tenant.id}`
    expect(await code(tenant)).toEqual([])
  })

  it('are warned of when fewer than seven days to come are there', async () => {
    const tenant = await createTenant()
    const day = new Date(Date.now() + 7 * 86_400_000).toISOString().slice(0, 10).replaceAll('-', '')
    await sql.query(`alter table datapoints_${day} rename to kept_aside`)
    const ending = await code(tenant).finally(() =>
      sql.query(`alter table kept_aside rename to datapoints_${day}`),
    )
    expect([ending, await code(tenant)]).toEqual([['partitions_ending'], []])
  })
})

/** Lets a pending batch have arrived so long ago. */
async function age(tenant: TestTenant, batchId: string, ms: number): Promise<void> {
  const object = await env.ARCHIVE.head(`raw/${tenant.id}/${batchId}`)
  const shard = env.TENANT_SHARD.getByName(`${tenant.id}/${object?.customMetadata?.['home_shard']}`)
  await runInDurableObject(shard, (_, { storage }) => {
    storage.sql.exec('update outbox set received_at = ? where batch_id = ?', Date.now() - ms, batchId)
  })
}
