import { env } from 'cloudflare:workers'
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { TenantShard } from '../index.ts'
import { batchMessage, consume, withoutQueue } from '../testing/consume.ts'
import { sql } from '../testing/owner-sql.ts'
import { admin, createTenant, type TestTenant } from '../testing/tenant.ts'

/* Which batches are the same, and that what the first answer said of one holds ever after. */

const DAY_MS = 86_400_000

interface Receipt {
  status: string
  code?: string
  batch_id: string
  datapoints: number
  rejected: number
  series: number
  received_at: string
  errors: { path: string; code: string }[]
}

let tenant: TestTenant

beforeAll(async () => {
  tenant = await createTenant()
})
afterEach(() => {
  vi.restoreAllMocks()
})

const batch = (batch_id: unknown, value = 1, ts = Date.now()) => ({
  batch_id,
  datapoints: [{ device: 'd', metric: 'm', ts, value }],
})

async function send(body: unknown, to = tenant): Promise<[number, Receipt]> {
  const raw = typeof body === 'string' ? body : JSON.stringify(body)
  const answer = await to.ingest(undefined, { raw })
  return [answer.status, await answer.json<Receipt>()]
}

describe('a batch_id', () => {
  it.each([['a'], ['7'], ['A.b_c:d-e'], ['x'.repeat(128)], ['sha256-of-what-ever'], ['a..']])(
    'may be %s, and can be asked for',
    async (id) => {
      const [status, receipt] = await send(batch(id))
      expect([status, receipt.batch_id]).toEqual([202, id])
      const asked = await tenant.get(`/v1/batches/${encodeURIComponent(id)}`)
      expect(await asked.json()).toMatchObject({
        ...{
          batch_id: id,
          datapoints: 1,
          r2_key: `raw/${tenant.id}/${id}`,
          received_at: receipt.received_at,
        },
      })
    },
  )

  it.each([
    [''],
    ['.a'],
    ['-a'],
    ['_a'],
    ['a b'],
    ['a/b'],
    ['ä'],
    ['a\n'],
    ['x'.repeat(129)],
    [7],
    [null],
    [['a']],
  ])('may not be %j', async (id) => {
    const [status, { code, errors }] = await send(batch(id))
    expect([status, code, errors.map(({ path }) => path)]).toEqual([400, 'validation_failed', ['batch_id']])
  })

  it('belongs to its tenant', async () => {
    const other = await createTenant()
    expect((await send(batch('shared'), other))[0]).toBe(202)
    expect((await send(batch('shared', 2)))[0]).toBe(202)
    expect((await send(batch('Shared', 3)))[0]).toBe(202)
  })

  it('left out is the hash of the decompressed bytes, which the same text otherwise written does not have', async () => {
    const text = JSON.stringify({ datapoints: batch('').datapoints })
    const [, first] = await send(text)
    const hash = Buffer.from(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))).toString(
      'hex',
    )
    expect(first.batch_id).toBe(`sha256-${hash}`)
    expect((await send(text))[0]).toBe(200)
    expect((await send(`${text} `))[0]).toBe(202)
  })
})

describe('the same batch_id again', () => {
  it('is a duplicate with the very bytes alone: another spelling of the same JSON is a conflict', async () => {
    const text = JSON.stringify(batch('spelling'))
    expect((await send(text))[0]).toBe(202)
    expect((await send(text))[0]).toBe(200)
    const [status, { code }] = await send(`${text}\n`)
    expect([status, code]).toEqual([409, 'batch_conflict'])
    expect((await send(text))[0]).toBe(200)
  })

  it('answers with the figures of the first time, whatever has changed since', async () => {
    const changing = await createTenant({ plan: { series_limit: 2 } })
    const now = Date.now()
    const points = [
      ...[
        [now, 1],
        [now - 3 * DAY_MS, 2],
        [now - 1000, null],
        [now + 9 * 60_000, 3],
        [now, 4],
      ],
      ...Array.from({ length: 30 }, (_, i) => [now + DAY_MS + i, i]),
    ]
    const series = ['a', 'b', 'c'].map((metric) => ({ device: 'd', metric, points }))
    const text = JSON.stringify({ batch_id: 'first', series })
    const [status, first] = await send(text, changing)
    expect([status, first]).toMatchObject([202, { datapoints: 6, rejected: 99, series: 2 }])
    expect(first.errors).toHaveLength(20)
    await admin('PATCH', `/tenants/${changing.id}`, { retention_days: 1, series_limit: 9 })
    expect(await send(text, changing)).toEqual([200, { ...first, status: 'duplicate' }])
    // The clock of a later day would reject other datapoints.
    vi.spyOn(Date, 'now').mockReturnValue(now + 2 * DAY_MS)
    expect(await send(text, changing)).toEqual([200, { ...first, status: 'duplicate' }])
  })
})

describe('a batch that is refused whole', () => {
  it.each([
    ['malformed', batch('free-1', Number.NaN)],
    ['too large', { batch_id: 'free-2', series: [{ device: 'd', metric: 'm', points: tooMany() }] }],
    ['without anything to store', batch('free-3', 1, Date.now() + DAY_MS)],
    ['beyond the retention', batch('free-4', 1, Date.now() - 31 * DAY_MS)],
    ['empty', { batch_id: 'free-5', series: [], datapoints: [] }],
  ])('because it is %s leaves its batch_id free', async (_, body) => {
    const broken = JSON.stringify(body).replace('null', '"none"')
    expect([400, 413]).toContain((await send(broken))[0])
    expect(await env.ARCHIVE.head(`raw/${tenant.id}/${body.batch_id}`)).toBeNull()
    expect((await tenant.get(`/v1/batches/${body.batch_id}`)).status).toBe(404)
    expect((await send(batch(body.batch_id)))[0]).toBe(202)
  })
})

describe('what a 202 counted', () => {
  it('names the first 20 of what it rejected in the order of the body', async () => {
    const now = Date.now()
    const bad = Array.from({ length: 15 }, (_, i) =>
      i % 3 === 0 ? [now + DAY_MS, i] : i % 3 === 1 ? [i, i] : [now - i, null],
    )
    const [status, receipt] = await send({
      datapoints: bad.map(([ts, value]) => ({ device: 'e', metric: 'm', ts, value })),
      series: [{ device: 'e', metric: 'm', points: [[now, 1], ...bad] }],
    })
    expect([status, receipt.datapoints, receipt.rejected]).toEqual([202, 1, 30])
    const codes = ['timestamp_in_future', 'timestamp_too_old', 'null_value']
    expect(receipt.errors.map(({ path, code }) => [path, code])).toEqual([
      ...bad.map((_, i) => [`series[0].points[${i + 1}]`, codes[i % 3]]),
      ...bad.slice(0, 5).map((_, i) => [`datapoints[${i}]`, codes[i % 3]]),
    ])
  })

  it('is what is stored, though the retention shrinks and the series limit changes before', async () => {
    vi.spyOn(TenantShard.prototype, 'alarm').mockResolvedValue() // nothing is stored before the test says so
    const changing = await createTenant({ plan: { series_limit: 2 } })
    const now = Date.now()
    const old = now - 10 * DAY_MS
    const points = [
      [now, 1],
      [old, 2],
      [old, 3],
      [now - 1000, null],
    ]
    const series = ['a', 'b', 'c'].map((metric) => ({ device: 'd', metric, points }))
    const [, receipt] = await withoutQueue(() => send({ batch_id: 'b', series }, changing))
    expect(receipt).toMatchObject({ datapoints: 4, rejected: 8, series: 2 })
    await admin('PATCH', `/tenants/${changing.id}`, { retention_days: 1, series_limit: 100 })
    await consume('edgepulse-batches', [batchMessage(changing, 'b')])
    const rows = await sql`select m.name, (extract(epoch from d.ts) * 1000)::float8 as ts, d.value
      from datapoints d join metrics m on m.tenant_id = d.tenant_id and m.id = d.metric_id
      where d.tenant_id = ${changing.id} order by m.name, d.ts`
    expect(rows).toEqual(
      ['a', 'b'].flatMap((name) => [
        { name, ts: old, value: 3 },
        { name, ts: now, value: 1 },
      ]),
    )
    const stored = await (await changing.get('/v1/batches/b')).json()
    expect(stored).toMatchObject({ status: 'persisted', datapoints: 4, error: null })
  })

  it('is 50,000 datapoints at most, also of those that cannot be stored', async () => {
    const [status, { code }] = await send({ series: [{ device: 'd', metric: 'm', points: tooMany() }] })
    expect([status, code]).toEqual([413, 'payload_too_large'])
  })
})

function tooMany() {
  return Array.from({ length: 50_001 }, (_, i) => [Date.now() - i, null])
}
