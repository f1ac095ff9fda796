import { runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { archiveKeyOf } from '../telemetry/archived-batch.ts'
import { homeShardOf } from '../worker/ingest/home-shard.ts'
import { admin, createTenant, type TestTenant } from '../worker/testing/tenant.ts'
import { encodeFlush } from './window-frames.ts'

const DAY_MS = 86_400_000
const NOW = Date.now()

// What becomes of a batch is for the tests to say: no consumer hears of any, and settles it in between.
beforeEach(() => {
  const queue = Object.getPrototypeOf(env.BATCHES)
  vi.spyOn(queue, 'send').mockResolvedValue(undefined)
  vi.spyOn(queue, 'sendBatch').mockResolvedValue(undefined)
})
afterEach(() => vi.restoreAllMocks())

const shardOf = (tenant: TestTenant, shard = 0) => env.TENANT_SHARD.getByName(`${tenant.id}/${shard}`)

const batchAt = (batch_id: string, ts: number, source = 'gateway') => ({
  ...{ batch_id, source, series: [{ device: source, metric: 'm', points: [[ts, 1]] }] },
})

/** What a gateway sent so long ago, and what stands in a manifest since then. */
async function sentDaysAgo(tenant: TestTenant, days: number, batchId = `b${days}`): Promise<void> {
  const clock = vi.spyOn(Date, 'now').mockReturnValue(NOW - days * DAY_MS)
  try {
    expect((await tenant.ingest(batchAt(batchId, Date.now() - 1000))).status).toBe(202)
    await shardOf(tenant).seal()
  } finally {
    clock.mockRestore()
  }
}

/** All that the shard has was stored as soon as it came; in one step, for its alarm may ring. */
const stored = (tenant: TestTenant, but: (sql: SqlStorage) => void = () => {}) =>
  runInDurableObject(shardOf(tenant), (_, { storage }) => {
    storage.sql.exec('update batches set persisted_at = received_at, error = null, next_send_at = null')
    storage.sql.exec('delete from outbox')
    but(storage.sql)
  })

/** `evictDurableObject` waits for calls, and after one that failed for ever. */
const restart = (tenant: TestTenant, shard = 0) =>
  runInDurableObject(shardOf(tenant, shard), (_, state) => state.abort('restarted by a test')).catch(() => {})

/** The shard's daily sweep, from beginning to end. */
async function sweep(tenant: TestTenant, shard = 0): Promise<void> {
  await runInDurableObject(shardOf(tenant, shard), (_, { storage }) => {
    storage.sql.exec(`delete from meta where key = 'sweep'`)
  })
  await restart(tenant, shard)
  await vi.waitFor(
    async () => {
      await runDurableObjectAlarm(shardOf(tenant, shard))
      expect(await nextSweepAt(tenant, shard)).toBeGreaterThan(Date.now())
    },
    { timeout: 15_000, interval: 50 },
  )
}

const nextSweepAt = (tenant: TestTenant, shard: number) =>
  runInDurableObject(shardOf(tenant, shard), (_, { storage }) => {
    const [row] = storage.sql.exec<{ value: string }>(`select value from meta where key = 'sweep'`).toArray()
    return row === undefined ? 0 : JSON.parse(row.value).nextSweepAt
  })

/** How old the batches are, in days, that rows, objects and manifests still tell of. */
async function known(tenant: TestTenant) {
  const rows = await runInDurableObject(shardOf(tenant), (_, { storage }) =>
    storage.sql.exec<{ at: number }>('select received_at as at from batches order by at').toArray(),
  )
  const raw = await env.ARCHIVE.list({ prefix: `raw/${tenant.id}/` })
  const manifests = await env.ARCHIVE.list({ prefix: `manifest/${tenant.id}/` })
  return {
    rows: rows.map(({ at }) => Math.abs(Math.round((NOW - at) / DAY_MS))),
    objects: raw.objects.map(({ key }) => Number(key.split('/').at(-1)!.slice(1))).sort((a, b) => b - a),
    manifests: manifests.objects.map(({ key }) => key.split('/')[2]),
  }
}

const dayOf = (days: number) => new Date(NOW - days * DAY_MS).toISOString().slice(0, 10)

const expectKnown = async (tenant: TestTenant, days: number[]) =>
  expect(await known(tenant)).toEqual({ rows: days, objects: days, manifests: days.map(dayOf) })

const deletions = () => vi.spyOn(Object.getPrototypeOf(env.ARCHIVE), 'delete')

describe('40 days of batches', () => {
  const days = [40, 33, 30, 12, 9, 7, 0]
  it.each([
    [7, [7, 0]],
    [30, [30, 12, 9, 7, 0]],
    [90, days],
  ])(
    'of a tenant that keeps %i days leave what it is due, in rows, archive and ledger',
    async (retention_days, left) => {
      const tenant = await createTenant({ plan: { retention_days } })
      for (const ago of days) await sentDaysAgo(tenant, ago)
      await stored(tenant)
      await sweep(tenant)
      await expectKnown(tenant, left)
      await sweep(tenant)
      await expectKnown(tenant, left)
    },
  )
})

describe('forgetting', () => {
  it('leaves a batch that is not settled, or was not for long, with its object and its manifest', async () => {
    const tenant = await createTenant({ plan: { retention_days: 1 } })
    for (const ago of [10, 9, 8]) await sentDaysAgo(tenant, ago)
    await stored(tenant, (sql) => {
      sql.exec(
        `update batches set persisted_at = null, error = 'not yet', next_send_at = ? where received_at = ?`,
        ...[NOW + DAY_MS, NOW - 10 * DAY_MS],
      )
      sql.exec(
        'update batches set persisted_at = ? where received_at = ?',
        NOW - 3.9 * DAY_MS,
        NOW - 9 * DAY_MS,
      )
    })
    await sweep(tenant)
    await expectKnown(tenant, [10, 9])
    await runInDurableObject(shardOf(tenant), (_, { storage }) => {
      storage.sql.exec(
        `update batches set error = 'given up', next_send_at = null where received_at = ?`,
        NOW - 10 * DAY_MS,
      )
    })
    await sweep(tenant)
    await expectKnown(tenant, [9])
  })

  it('has no effect undone when the same batch comes again, to another shard and with a longer retention', async () => {
    const tenant = await createTenant({ plan: { retention_days: 2 } })
    await sentDaysAgo(tenant, 5, 'old')
    await sentDaysAgo(tenant, 5, 'b5')
    await stored(tenant)
    await sweep(tenant)
    await expectKnown(tenant, [])
    await admin('PATCH', `/tenants/${tenant.id}`, { retention_days: 30, shards: 4 })
    const source = ['a', 'b', 'c', 'd'].find((name) => homeShardOf({ source: name, names: [] }, 4) !== 0)!
    // The Worker hears of the shards with the first answer.
    expect((await tenant.ingest(batchAt('hint', Date.now()))).status).toBe(202)
    const answer = await tenant.ingest(batchAt('old', NOW - 5 * DAY_MS - 1000, source))
    expect([answer.status, await answer.json()]).toEqual([
      400,
      expect.objectContaining({ code: 'no_datapoint_accepted' }),
    ])
    expect(await env.ARCHIVE.head(archiveKeyOf(tenant.id, 'old'))).toBeNull()
    const points = [
      [NOW - 2.9 * DAY_MS, 1],
      [NOW - 3.1 * DAY_MS, 2],
    ]
    const series = [{ device: source, metric: 'm', points }]
    const late = await tenant.ingest({ batch_id: 'late', source, series })
    expect(await late.json()).toMatchObject({
      ...{ datapoints: 1, rejected: 1 },
      errors: [{ path: 'series[0].points[1]', code: 'timestamp_too_old' }],
    })
  })

  it('sets no bound while nothing is forgotten: a longer retention lets older data in at once', async () => {
    const tenant = await createTenant({ plan: { retention_days: 1 } })
    await tenant.ingest(batchAt('b', NOW))
    await sweep(tenant)
    await admin('PATCH', `/tenants/${tenant.id}`, { retention_days: 30 })
    expect((await tenant.ingest(batchAt('back', NOW - 20 * DAY_MS))).status).toBe(202)
  })

  it('goes on where the archive failed, and never takes the object of a batch that came later', async () => {
    const tenant = await createTenant({ plan: { retention_days: 1 } })
    await sentDaysAgo(tenant, 9)
    await stored(tenant)
    const real: R2Bucket['delete'] = Object.getPrototypeOf(env.ARCHIVE).delete
    // For as long as it is looked at: the shard's own alarm may ring at any time.
    const removal = deletions().mockRejectedValue(new Error('R2 is away'))
    await sweepOnce(tenant)
    await expectKnown(tenant, [9])
    removal.mockImplementation(async function (this: R2Bucket, keys: unknown) {
      if (typeof keys === 'string' && keys.startsWith('manifest/')) throw new Error('R2 is away')
      return real.call(this, String(keys).split(','))
    })
    await sweepOnce(tenant)
    expect((await known(tenant)).manifests).toEqual([dayOf(9)])
    expect((await known(tenant)).rows).toEqual([])
    removal.mockRestore()
    expect((await tenant.ingest(batchAt('b9', NOW))).status).toBe(202)
    await sweep(tenant)
    expect(await env.ARCHIVE.head(archiveKeyOf(tenant.id, 'b9'))).not.toBeNull()
    expect(await known(tenant)).toMatchObject({ rows: [0], manifests: [] })
  })

  it('ends with what else is old: counters, and flushes that were given up', async () => {
    const tenant = await createTenant({ plan: { retention_days: 1 } })
    await tenant.ingest(batchAt('b', NOW))
    const flushOf = (windowStart: number) =>
      encodeFlush({
        usage: [],
        windows: [
          {
            ...{
              name: { device: 'd', metric: 'm', unit: null },
              windowStart,
              part: 1,
              count: 1,
              mean: 1,
              m2: 0,
              min: 1,
              max: 1,
            },
            ...{ median: 1, mad: 0, firstTs: windowStart, lastTs: windowStart, sketch: new Uint8Array() },
          },
        ],
      })
    await runInDurableObject(shardOf(tenant), (_, { storage }) => {
      const { sql } = storage
      for (const days of [799, 801]) sql.exec('insert into usage (day) values (?)', dayOf(days))
      for (const [id, days, at] of [
        [101, 3, Number.MAX_SAFE_INTEGER],
        [102, 0, Number.MAX_SAFE_INTEGER],
        [103, 3, NOW + DAY_MS],
      ] as const) {
        const start = Math.floor((NOW - days * DAY_MS) / 300_000) * 300_000
        sql.exec('insert into flushes (id, next_send_at, bytes) values (?, ?, ?)', id, at, flushOf(start))
      }
    })
    await sweep(tenant)
    const left = await runInDurableObject(shardOf(tenant), (_, { storage }) => ({
      days: storage.sql
        .exec('select day from usage order by day')
        .toArray()
        .map(({ day }) => day),
      flushes: storage.sql
        .exec('select id from flushes where id > 100 order by id')
        .toArray()
        .map(({ id }) => id),
    }))
    expect(left).toEqual({ days: [dayOf(799), dayOf(0)], flushes: [102, 103] })
  })
})

/** One ring of the alarm, with the sweep due. */
async function sweepOnce(tenant: TestTenant): Promise<void> {
  await runInDurableObject(shardOf(tenant), (_, { storage }) => {
    storage.sql.exec(`delete from meta where key = 'sweep'`)
  })
  await restart(tenant)
  await runInDurableObject(shardOf(tenant), (instance) => instance.alarm())
}

describe('the archive object of a forgotten batch', () => {
  it('that is there all the same is left alone, whatever is sent under its batch_id', async () => {
    const tenant = await createTenant({ plan: { retention_days: 2 } })
    await sentDaysAgo(tenant, 3.5, 'old')
    const key = archiveKeyOf(tenant.id, 'old')
    const bytes = await (await env.ARCHIVE.get(key))!.bytes()
    await runInDurableObject(shardOf(tenant), (_, { storage }) => {
      storage.sql.exec('delete from batches')
    })
    await env.TENANT_CONTROL.getByName(tenant.id).forgetBatches(NOW - 3 * DAY_MS)
    expect((await tenant.ingest(batchAt('old', NOW))).status).toBe(409)
    await admin('PATCH', `/tenants/${tenant.id}`, { retention_days: 1 })
    await tenant.ingest(batchAt('old', NOW - 1.5 * DAY_MS))
    expect(await (await env.ARCHIVE.get(key))!.bytes()).toEqual(bytes)
  })
})
