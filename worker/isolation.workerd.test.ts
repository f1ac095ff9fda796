import { env } from 'cloudflare:workers'
import { neonConfig } from '@neondatabase/serverless'
import * as v from 'valibot'
import { beforeAll, describe, expect, it } from 'vitest'
import { connect } from '../durable-objects/connect-database.ts'
import { contentsOf, insertTenantRows } from '../migrations/testing/tenant-rows.ts'
import { app } from './app.ts'
import { sql } from './testing/owner-sql.ts'
import { createTenant, fetchWorker, type TestTenant } from './testing/tenant.ts'

/*
 * Every route as it would be had it forgotten whose rows it wants: its statements bind one tenant, as ever, while on
 * their way to Postgres the setting of their transaction becomes another's. What comes of it must be nothing.
 */

const Transaction = v.object({
  queries: v.array(v.object({ query: v.string(), params: v.array(v.unknown()) })),
})
const Answer = v.object({ results: v.array(v.object({ rows: v.array(v.array(v.unknown())) })) })

let owner: TestTenant
let stranger: TestTenant
let ids: Record<string, string>

/** Values that came of statements, the one that says for whom aside. */
let read: unknown[] = []
let statements = 0
let otherSetting: string | undefined

async function throughProxy(url: string, init: RequestInit): Promise<Response> {
  const sent = v.safeParse(Transaction, JSON.parse(String(init.body)))
  if (!sent.success) return fetch(url, init) // a single statement: this test's own
  const { queries } = sent.output
  const setting = queries[0]!.params
  if (otherSetting !== undefined && setting[1] === owner.id) setting[1] = otherSetting
  const response = await fetch(url, { ...init, body: JSON.stringify({ queries }) })
  const answer = v.safeParse(Answer, await response.clone().json())
  statements += queries.length - 1
  if (answer.success) read.push(...answer.output.results.slice(1).flatMap(({ rows }) => rows.flat()))
  return response
}

beforeAll(async () => {
  owner = await createTenant()
  stranger = await createTenant()
  const rows = await insertTenantRows((text) => sql.query(text), owner.id)
  const { metricId, ruleId, eventId, webhookId, deliveryId } = rows
  ids = {
    batches: 'b',
    metrics: metricId,
    'alert-rules': ruleId,
    alerts: eventId,
    webhooks: webhookId,
    deliveries: deliveryId,
  }
  neonConfig.fetchFunction = throughProxy
  return () => {
    neonConfig.fetchFunction = undefined
  }
})

/** Ingest stores through objects and queues: of it the consumers are tested. */
const INGEST = 'POST /v1/ingest'

/** Asked of the app, so that no new route is forgotten. */
const routes = [...new Set(app.routes.map(({ method, path }) => `${method} ${path}`))].filter(
  (route) => / \/v1\//.test(route) && !/^ALL|\*/.test(route) && route !== INGEST,
)
const wantKey: string[] = []
for (const route of routes) {
  const [method, path] = route.split(' ')
  const { status } = await fetchWorker(path!.replace(/:\w+/, crypto.randomUUID()), { method: method! })
  if (status === 401) wantKey.push(route)
}
const isRead = (route: string) => route.startsWith('GET') || route.endsWith('/preview')
const reads = wantKey.filter(isRead)
const writes = wantKey.filter((route) => !isRead(route))

async function call(route: string, setting?: string): Promise<Response> {
  const [method = '', template = ''] = route.split(' ')
  const path = template.replace(/([\w-]+)\/:\w+/, (_, of: string) => {
    const id = ids[of]
    if (id === undefined) throw new Error(`tell this test an id for ${template}`)
    return `${of}/${id}`
  })
  const body = { name: 'x', url: 'https://hooks.example.com/', enabled: false, since: 0 }
  const headers = { 'x-api-key': owner.key, 'content-type': 'application/json' }
  read = []
  statements = 0
  otherSetting = setting
  const init = { method, headers, ...(method !== 'GET' && { body: JSON.stringify(body) }) }
  return fetchWorker(path, init).finally(() => {
    otherSetting = undefined
  })
}

/** What an aggregate over no rows gives. */
const NOTHING = new Set<unknown>([null, '0', 0, 'f', false])
const told = () => read.filter((value) => !NOTHING.has(value))

const everything = () => contentsOf(owner.id, (text, values) => sql.query(text, values))

it('the app has routes that read and routes that write', () => {
  expect(reads.length).toBeGreaterThan(12)
  expect(writes.length).toBeGreaterThan(8)
})

describe('with the setting of another tenant', () => {
  it.each(reads)('%s reads nothing', async (route) => {
    expect((await call(route)).status).toBe(route.includes('/batches/') ? 404 : 200)
    if (route !== 'GET /v1/batches/:batch_id')
      expect(told(), 'the owner has nothing to be read here').not.toEqual([])
    await call(route, stranger.id)
    expect(told()).toEqual([])
    await call(route, '')
    expect(told()).toEqual([])
  })

  it.each(writes)('%s changes nothing', async (route) => {
    const before = await everything()
    expect((await call(route, stranger.id)).status).toBeGreaterThanOrEqual(400)
    expect(statements).toBeGreaterThan(0)
    expect(told()).toEqual([])
    expect(await everything()).toEqual(before)
  })
})

it.each(['tenants', 'alert_rules', 'datapoints'])(
  'a statement on %s that says nothing of whom it is for finds nothing',
  async (table) => {
    neonConfig.fetchFunction = undefined
    expect(await connect(env).query(`select * from ${table}`)).toEqual([])
  },
)
