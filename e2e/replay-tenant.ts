import { gzipSync } from 'node:zlib'
import pg from 'pg'
import * as v from 'valibot'
import { Api } from '../local/api.ts'
import type { DevFile } from '../local/dev-file.ts'
import { migrate } from '../migrations/migrate.ts'

export const WINDOW = 300_000

/** A tenant whose gateways send all that a replay must get right. */
export interface ReplayTenant {
  id: string
  name: string
  api: Api
  /** The first window that holds anything. */
  base: number
}

const received = v.object({ datapoints: v.number(), rejected: v.number() })

export async function makeTenant({ url, admin_token }: DevFile, name: string): Promise<ReplayTenant> {
  const admin = new Api({ url, token: admin_token })
  const { id } = await admin.json('/admin/tenants', v.object({ id: v.string() }), {
    method: 'POST',
    body: { name },
  })
  const { key } = await admin.json(`/admin/tenants/${id}/keys`, v.object({ key: v.string() }), {
    method: 'POST',
    body: { scopes: ['ingest', 'read'] },
  })
  const base = Math.floor((Date.now() - 3 * 3_600_000) / WINDOW) * WINDOW
  return { id, name, api: new Api({ url, token: key, patienceMs: 20_000 }), base }
}

export async function seal({ url, admin_token }: DevFile, { id }: ReplayTenant): Promise<void> {
  await new Api({ url, token: admin_token }).send(`/admin/tenants/${id}/seal`, { method: 'POST' })
}

/** A reading every ten seconds from `from` to before `to`. */
const readings = (from: number, to: number, level: number): [number, number][] =>
  Array.from({ length: (to - from) / 10_000 }, (_, i) => [from + i * 10_000, level + Math.sin(i * 12.9898)])

/** Four windows of each series and a bit of the next, which closes them; rejected datapoints among them. */
export async function sendFirst({ api, base }: ReplayTenant): Promise<void> {
  const end = base + 4 * WINDOW + 100_000
  const first = readings(base, base + 2 * WINDOW, 70)
  const json = {
    batch_id: 'json:1',
    series: [
      { device: 'pump-7', metric: 'temperature', unit: 'C', points: [...first, first[3]!] },
      { device: 'pump-7', metric: 'current', unit: 'A', points: [[base, null], ...readings(base, end, 3)] },
    ],
    datapoints: [{ device: 'pump-7', metric: 'temperature', ts: Date.now() + 3_600_000, value: 1 }],
  }
  const headers = { 'content-encoding': 'gzip' }
  const zipped = await api.json('/v1/ingest', received, {
    ...{ method: 'POST', headers },
    body: gzipSync(JSON.stringify(json)),
  })
  if (zipped.rejected !== 3) throw new Error(`three datapoints should be rejected, not ${zipped.rejected}`)
  const points = readings(base + 2 * WINDOW, end, 71)
  const series = [{ device: 'pump-7', metric: 'temperature', unit: 'C', points }]
  await api.send('/v1/ingest', { method: 'POST', body: { batch_id: 'json:2', series } })
  const lines = readings(base, end, 230).map(([ts, value]) => `power,device=hall volts=${value} ${ts / 1000}`)
  await api.send('/api/v2/write?precision=s', {
    ...{ method: 'POST', headers: { 'content-type': 'text/plain' } },
    body: [...lines, `power,device=hall volts="none" ${base / 1000}`].join('\n'),
  })
}

/** Another format, a correction in the second window with another unit, a late reading in the first. */
export async function sendSecond({ api, base }: ReplayTenant): Promise<void> {
  const dataPoints = readings(base, base + 4 * WINDOW + 100_000, 40).map(([ts, asDouble]) => {
    return { timeUnixNano: `${ts}000000`, asDouble }
  })
  const attributes = [{ key: 'device.id', value: { stringValue: 'boiler' } }]
  const metrics = [{ name: 'pressure', unit: 'kPa', gauge: { dataPoints } }]
  const resourceMetrics = [{ resource: { attributes }, scopeMetrics: [{ metrics }] }]
  await api.send('/otlp/v1/metrics', { method: 'POST', body: { resourceMetrics } })
  const temperature = { device: 'pump-7', metric: 'temperature' }
  for (const [batch_id, unit, point] of [
    ['correction', 'F', [base + WINDOW + 10_000, 500]],
    ['late', 'F', [base + 5_000, 90]],
  ] as const) {
    const series = [{ ...temperature, unit, points: [point] }]
    await api.send('/v1/ingest', { method: 'POST', body: { batch_id, series } })
  }
}

const SNAPSHOT = {
  devices: 'select id, external_id, last_seen_at from devices',
  metrics: `select id, device_id, name, unit, unit_version, unit_since, previous_unit, previous_unit_version,
    unit_changed_at, last_ts from metrics`,
  batches: 'select batch_id, r2_key, status, datapoints, rejected, received_at, error from batches',
  datapoints: 'select metric_id, ts, value, version from datapoints',
}

export class TenantRows {
  readonly pool: pg.Pool
  readonly #tenantId: string

  constructor({ database_url }: DevFile, { id }: ReplayTenant) {
    this.pool = new pg.Pool({ connectionString: database_url, max: 3 })
    this.pool.on('error', () => {})
    this.#tenantId = id
  }

  /** All rows that a replay restores, but for when they were written. */
  async snapshot(): Promise<Record<string, unknown[]>> {
    const tables = Object.entries(SNAPSHOT).map(async ([table, select]) => {
      const { rows } = await this.pool.query(`${select} where tenant_id = $1 order by 1, 2`, [this.#tenantId])
      return [table, rows] as const
    })
    return Object.fromEntries(await Promise.all(tables))
  }

  /** Changes whenever a row is written, if to the same values. */
  async writes(): Promise<string[]> {
    const tables = [...Object.keys(SNAPSHOT), 'window_aggregates', 'tenants']
    return Promise.all(
      tables.map(async (table) => {
        const column = table === 'tenants' ? 'id' : 'tenant_id'
        const { rows } = await this.pool.query<{ writes: string }>(
          `select count(*) || ' ' || coalesce(md5(string_agg(t.xmin::text, ',' order by t.xmin::text)), '') as writes
           from ${table} t where ${column} = $1`,
          [this.#tenantId],
        )
        return `${table} ${rows[0]?.writes}`
      }),
    )
  }

  async count(table: string): Promise<number> {
    const { rows } = await this.pool.query<{ count: number }>(
      `select count(*)::int as count from ${table} where tenant_id = $1`,
      [this.#tenantId],
    )
    return rows[0]!.count
  }

  /** How many datapoints the shards' parts of windows count together. */
  async countedByParts(): Promise<number> {
    const { rows } = await this.pool.query<{ count: number }>(
      `select coalesce(sum(count), 0)::int as count from window_aggregates where tenant_id = $1 and shard >= 0`,
      [this.#tenantId],
    )
    return rows[0]!.count
  }

  /** Whoever wants to store this batch waits until `work` has ended; then it is as if nothing had been. */
  async whileInserting(batchId: string, work: () => Promise<void>): Promise<void> {
    const client = await this.pool.connect()
    try {
      await client.query('begin')
      await client.query(
        `insert into batches (tenant_id, batch_id, r2_key, status) values ($1, $2, 'k', 'failed')`,
        [this.#tenantId, batchId],
      )
      await work()
    } finally {
      client.release(true)
    }
  }

  /** Loses everything that the database holds. */
  async dropAll({ database_url }: DevFile): Promise<void> {
    await this.pool.query('drop schema public cascade')
    await this.pool.query('create schema public')
    await migrate(database_url)
  }
}
