import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, expect, it, vi } from 'vitest'
import { batchMessage, consume, withoutQueue } from '../testing/consume.ts'
import { sql } from '../testing/owner-sql.ts'
import { createTenant, request, seriesBatch, type TestTenant } from '../testing/tenant.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const TRACEPARENT = `00-${TRACE}-00f067aa0ba902b7-01`
const ANY = expect.any(Number)

afterEach(() => {
  vi.restoreAllMocks()
})

/** The lines of an event that `act` causes for a tenant. */
async function linesOf(tenant: TestTenant, event: string, act: () => Promise<unknown>) {
  const spies = (['info', 'warn', 'error'] as const).map((level) => vi.spyOn(console, level))
  await act()
  const lines = spies.flatMap(({ mock }) =>
    mock.calls.map(([line]): Record<string, unknown> => JSON.parse(line)),
  )
  for (const spy of spies) spy.mockRestore()
  return lines.filter((line) => line['event'] === event && line['tenant_id'] === tenant.id)
}

it('a request goes by its sender’s trace, in its answer and in its line', async () => {
  const tenant = await createTenant()
  const raw = JSON.stringify(seriesBatch('b-1'))
  let header = ''
  const lines = await linesOf(tenant, 'ingest', async () => {
    const answer = await tenant.ingest(undefined, { raw, headers: { traceparent: TRACEPARENT } })
    header = answer.headers.get('traceparent') ?? ''
  })
  expect(header).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`))
  expect(header).not.toContain('00f067aa0ba902b7') // the span is ours
  const figures = { bytes: raw.length, datapoints: 10, rejected: 0, duration_ms: ANY }
  expect(lines).toMatchObject([
    { level: 'info', batch_id: 'b-1', trace_id: TRACE, outcome: 'accepted', path: '/v1/ingest', ...figures },
  ])
})

it.each(['', 'nonsense', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`])(
  'one whose traceparent is "%s" gets a trace of its own',
  async (traceparent) => {
    const answers = [0, 1].map(() => request('/v1/health', { headers: { traceparent } }))
    const headers = (await Promise.all(answers)).map((answer) => answer.headers.get('traceparent'))
    for (const header of headers) expect(header).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
    expect(headers[0]!.slice(3, 35)).not.toBe(headers[1]!.slice(3, 35))
    expect(headers.join()).not.toContain('0'.repeat(32))
  },
)

it('one that is refused tells its code, and its answer the trace', async () => {
  const tenant = await createTenant()
  let header: string | null = null
  const lines = await linesOf(tenant, 'ingest', async () => {
    const answer = await tenant.ingest(undefined, { raw: '[', headers: { traceparent: TRACEPARENT } })
    header = answer.headers.get('traceparent')
  })
  expect(header).toContain(TRACE)
  expect(lines).toMatchObject([{ level: 'warn', trace_id: TRACE, outcome: 'invalid_json', bytes: 1 }])
})

it('at a rate of 0 successes are silent and refusals are not', async () => {
  const tenant = await createTenant()
  const rate = vi.spyOn(env, 'LOG_SAMPLE_RATE', 'get').mockReturnValue('0')
  const accepted = await linesOf(tenant, 'ingest', () => tenant.ingest(seriesBatch('b-1')))
  const refused = await linesOf(tenant, 'ingest', () => tenant.ingest(undefined, { raw: '[' }))
  rate.mockRestore()
  expect([accepted.length, refused.length]).toEqual([0, 1])
})

it('what is stored is told with the trace of its batch, sampled as the request was', async () => {
  const tenant = await createTenant()
  const headers = { traceparent: TRACEPARENT }
  await withoutQueue(() => tenant.ingest(seriesBatch('b-1'), { headers }))
  await withoutQueue(() => tenant.ingest(seriesBatch('b-2'), { headers }))
  const store = (batchId: string, rate: string) => () =>
    consume('edgepulse-batches', [batchMessage(tenant, batchId)], {
      bindings: { ...env, LOG_SAMPLE_RATE: rate },
    })
  const lines = await linesOf(tenant, 'batch_persisted', store('b-1', '1'))
  expect(lines).toMatchObject([
    { batch_id: 'b-1', trace_id: TRACE, outcome: 'persisted', datapoints: 10, lag_ms: ANY },
  ])
  expect(await linesOf(tenant, 'batch_persisted', store('b-2', '0'))).toEqual([])
})

it('the trace is kept by the shard until Postgres has it', async () => {
  const tenant = await createTenant()
  await withoutQueue(() => tenant.ingest(seriesBatch('b-1'), { headers: { traceparent: TRACEPARENT } }))
  const shard = env.TENANT_SHARD.getByName(`${tenant.id}/0`)
  const kept = async () => (await shard.verdicts(['b-1']))[0]?.traceId
  expect(await kept()).toBe(TRACE)
  await consume('edgepulse-batches', [batchMessage(tenant, 'b-1')])
  expect(await kept()).toBeNull()
  const [row] = await sql`select trace_id from batches where tenant_id = ${tenant.id}`
  expect(row).toEqual({ trace_id: '4bf92f35-77b3-4da6-a3ce-929d0e0e4736' })
})

it('a batch that was accepted before traces were kept is stored without one', async () => {
  const tenant = await createTenant()
  await withoutQueue(() => tenant.ingest(seriesBatch('b-1')))
  const shard = env.TENANT_SHARD.getByName(`${tenant.id}/0`)
  await runInDurableObject(shard, (_, { storage }) => {
    storage.sql.exec('alter table batches drop column trace_id')
    storage.sql.exec('update schema_version set version = 1')
  })
  await evictDurableObject(shard)
  const lines = await linesOf(tenant, 'batch_persisted', () =>
    consume('edgepulse-batches', [batchMessage(tenant, 'b-1')]),
  )
  expect(lines).toMatchObject([{ batch_id: 'b-1', datapoints: 10 }])
  expect(lines[0]).not.toHaveProperty('trace_id')
  expect(await sql`select trace_id from batches where tenant_id = ${tenant.id}`).toEqual([{ trace_id: null }])
})
