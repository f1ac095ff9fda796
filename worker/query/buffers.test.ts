import { execFileSync } from 'node:child_process'
import { neonConfig } from '@neondatabase/serverless'
import pg from 'pg'
import { beforeAll, describe, expect, inject, test } from 'vitest'
import { startNeonProxy } from '../../local/neon-proxy.ts'
import { scratchDatabase } from '../../migrations/scratch-database.ts'
import { makeKey } from '../api-key.ts'
import { app } from '../app.ts'
import { type Loaded, loadTwoMillionRows } from '../testing/two-million-rows.ts'
import { cursorText } from './parameters.ts'

/*
 * However much there is, a page costs what it shows. Each list is asked for its first page, one in the middle and
 * its last ones; the statements that the route sends are taken on their way to Postgres and explained, and what
 * they read is held against the rows that came.
 */

const LIMIT = 100
/** Buffers (8 KiB) that a page may read besides its rows': the way down the indexes. */
const BASE_BUFFERS = 50
/** Buffers of a row: its own place, and the way down an index for each thing that is looked up for it. */
const ROW_BUFFERS = 6

interface Statement {
  query: string
  params?: unknown[]
}

let loaded: Loaded
let client: pg.Client
let bindings: Record<string, unknown>
/** A list a transaction. */
let sent: Statement[][] = []

beforeAll(async () => {
  const scratch = await scratchDatabase(inject('databaseUrl'))
  // As a command: its types and the Worker's do not go together.
  execFileSync(process.execPath, ['migrations/migrate.ts'], {
    env: { ...process.env, DATABASE_URL: scratch.url },
  })
  loaded = await loadTwoMillionRows(scratch.url)
  client = new pg.Client({ connectionString: scratch.url })
  await client.connect()
  const proxy = await startNeonProxy({ port: 0, postgresPort: Number(new URL(scratch.url).port) })
  bindings = {
    ...inject('workerBindings'),
    DATABASE_URL: scratch.url,
    NEON_PROXY_URL: `http://127.0.0.1:${proxy.port}/sql`,
    TENANT_CONTROL: { getByName: () => ({ authorize: async () => 'ok' }) }, // who may read is tested elsewhere
  }
  neonConfig.fetchFunction = (url: string, init: { body: string }) => {
    const body: Statement | { queries: Statement[] } = JSON.parse(init.body)
    sent.push('queries' in body ? body.queries : [body])
    return fetch(url, init)
  }
  return async () => {
    neonConfig.fetchFunction = undefined
    await proxy.stop()
    await client.end()
    await scratch.drop()
  }
}, 180_000)

/** Asks for a page: how many rows came, and how many buffers its statements read. */
async function costOf(path: string, query: Record<string, string>) {
  sent = []
  const secret = inject('workerBindings')['API_KEY_MAC_SECRET']!
  const key = path.startsWith('/admin')
    ? inject('workerBindings')['ADMIN_TOKEN']!
    : makeKey(loaded.tenantId, new Uint8Array(16), secret)
  const url = `${path}?${new URLSearchParams({ limit: String(LIMIT), ...query })}`
  const answer = await app.request(url, { headers: { authorization: `Bearer ${key}` } }, bindings)
  const page: { data: unknown[]; next_cursor: string | null } = await answer.json()
  expect(answer.status, JSON.stringify(page)).toBe(200)
  let buffers = 0
  for (const statements of sent) buffers += await buffersOf(statements)
  return { rows: page.data.length, buffers, more: page.next_cursor !== null }
}

/** Under row-level security: the first statement says for whom the others are. */
async function buffersOf([become, ...statements]: Statement[]): Promise<number> {
  await client.query('begin')
  await client.query(become!.query, become!.params)
  const { rows: bound } = await client.query(`select row_security_active('tenants') as bound`)
  expect(bound).toEqual([{ bound: true }])
  let buffers = 0
  for (const { query, params = [] } of statements) {
    const { rows } = await client.query(`explain (analyze, buffers, format json) ${query}`, params)
    const { Plan: plan } = rows[0]['QUERY PLAN'][0]
    buffers += plan['Shared Hit Blocks'] + plan['Shared Read Blocks']
  }
  await client.query('commit')
  return buffers
}

/** A list, and SQL for the cursors of its rows, in its order. */
type List = [path: string, query: Record<string, string>, cursors: string]

/** As the cursor of deliveries has it. */
const MICROS = '(extract(epoch from created_at) * 1000000)::int8'
const ms = (column: string) => `(extract(epoch from ${column}) * 1000)::int8`
const OF_TENANT = `tenant_id = '{tenantId}'`
const OF_METRIC = `${OF_TENANT} and metric_id = '{metricId}'`
const RANGE = { from: '{from}', to: '{to}' }
const METRICS = `select jsonb_build_array(d.external_id, m.name) as c from devices d join metrics m on m.device_id = d.id
  and m.tenant_id = d.tenant_id where d.${OF_TENANT}`
const SCORES = `select jsonb_build_array(${ms('window_end')}, metric_id) as c from anomaly_scores where`
const ALERTS = `select jsonb_build_array(${ms('opened_at')}, id) as c from alert_events where`
const LETTERS = 'select to_jsonb(id) as c from dead_letters'

const LISTS: List[] = [
  [
    '/v1/devices',
    {},
    `select to_jsonb(external_id) as c from devices where ${OF_TENANT} order by external_id`,
  ],
  ['/v1/metrics', {}, `${METRICS} order by d.external_id, m.name`],
  ['/v1/metrics', { device_id: '{deviceId}' }, `${METRICS} and d.id = '{deviceId}' order by m.name`],
  [
    '/v1/metrics/{metricId}/datapoints',
    RANGE,
    `select to_jsonb(${ms('ts')}) as c from datapoints where ${OF_METRIC} order by ts`,
  ],
  [
    '/v1/metrics/{metricId}/windows',
    RANGE,
    `select to_jsonb(${ms('window_start')}) as c from window_aggregates where ${OF_METRIC} group by window_start order by window_start`,
  ],
  ['/v1/anomalies', RANGE, `${SCORES} ${OF_TENANT} order by window_end, metric_id`],
  ['/v1/anomalies', { ...RANGE, metric_id: '{metricId}' }, `${SCORES} ${OF_METRIC} order by window_end`],
  [
    '/v1/anomalies',
    { ...RANGE, min_score: '1' },
    `${SCORES} ${OF_TENANT} and score >= 1 order by window_end, metric_id`,
  ],
  [
    '/v1/anomalies',
    { ...RANGE, metric_id: '{metricId}', min_score: '1.2' },
    `${SCORES} ${OF_METRIC} and score >= 1.2 order by window_end`,
  ],
  ['/v1/alerts', RANGE, `${ALERTS} ${OF_TENANT} order by opened_at, id`],
  ['/v1/alerts', { ...RANGE, metric_id: '{metricId}' }, `${ALERTS} ${OF_METRIC} order by opened_at, id`],
  [
    '/v1/alerts',
    { ...RANGE, state: 'open' },
    `${ALERTS} ${OF_TENANT} and state = 'open' order by opened_at, id`,
  ],
  ['/v1/alert-rules', {}, `select to_jsonb(id) as c from alert_rules where ${OF_TENANT} order by id`],
  ['/v1/webhooks', {}, `select to_jsonb(id) as c from webhook_endpoints where ${OF_TENANT} order by id`],
  [
    '/v1/webhooks/{webhookId}/deliveries',
    {},
    `select jsonb_build_array(${MICROS}, id) as c from webhook_deliveries
     where ${OF_TENANT} and webhook_id = '{webhookId}' order by created_at desc, id desc`,
  ],
  ['/admin/tenants', {}, 'select to_jsonb(name) as c from tenants order by name'],
  ['/admin/dead-letters', {}, `${LETTERS} order by id`],
  ['/admin/dead-letters', { tenant: '{tenantId}' }, `${LETTERS} where ${OF_TENANT} order by id`],
]

const filled = (text: string) =>
  text.replace(/\{(\w+)\}/g, (_, name: keyof Loaded) => {
    const value = loaded[name]
    return value instanceof Date ? value.toISOString() : value
  })

/** The cursors after the row in the middle, after the last but `LIMIT / 2`, and after the last row of all. */
async function cursorsOf(sql: string): Promise<string[]> {
  const { rows } = await client.query<{ c: unknown }>(
    `with list as (select c, row_number() over () as n, count(*) over () as total from (${filled(sql)}) as rows)
     select c from list where n in (total / 2, total - least(total - 1, ${LIMIT / 2}), total) order by n`,
  )
  return rows.map(({ c }) => cursorText(c))
}

describe('a page reads no more than a small multiple of its rows', () => {
  test.each(LISTS)('of %s %j', async (path, query, cursors) => {
    const given = Object.fromEntries(Object.entries(query).map(([name, value]) => [name, filled(value)]))
    const pages = [await costOf(filled(path), given)]
    for (const cursor of await cursorsOf(cursors))
      pages.push(await costOf(filled(path), { ...given, cursor }))
    console.log(path, JSON.stringify(query), pages.map(({ rows, buffers }) => `${buffers}/${rows}`).join(' '))
    const [last, ...others] = pages.toReversed()
    expect(last).toMatchObject({ rows: 0, more: false })
    expect(Math.min(...others.map(({ rows }) => rows))).toBeGreaterThan(0)
    const dear = pages.filter(({ rows, buffers }) => buffers > BASE_BUFFERS + ROW_BUFFERS * rows)
    expect(dear).toEqual([])
  })
})
