import type pg from 'pg'
import { beforeEach } from 'vitest'
import { selectDays } from '../retention/retention-sql.ts'
import { ownDatabase } from './own-database.ts'
import { type SeededTenant, seedTenant } from './seed-tenant.ts'

/** For tests of what works on all tenants and days: a database of the file's own, empty before each test. */
export class EmptyDatabase {
  readonly #database = ownDatabase()

  constructor() {
    beforeEach(() => this.#empty())
  }

  get url(): string {
    return this.#database.url()
  }

  get pool(): pg.Pool {
    return this.#database.pool()
  }

  async #empty(): Promise<void> {
    await this.pool.query('delete from tenants')
    await this.pool.query('delete from dead_letters')
    for (const day of await selectDays(this.pool)) await this.pool.query(`drop table ${partitionOf(day)}`)
    await this.pool.query('truncate datapoints')
  }

  async tenant(retentionDays: number): Promise<SeededTenant> {
    const tenant = await seedTenant(this.pool)
    const values = [tenant.tenantId, retentionDays]
    await this.pool.query('update tenants set retention_days = $2 where id = $1', values)
    return tenant
  }

  /** The pool, for who runs one piece of work before each of its statements. */
  before(work: (sql: string) => Promise<void>): pg.Pool {
    const watched = (client: pg.PoolClient) =>
      replaced(client, 'query', async (query: string | pg.QueryConfig, values?: unknown[]) => {
        await work(typeof query === 'string' ? query : query.text)
        return client.query(query, values)
      })
    return replaced(this.pool, 'connect', async () => watched(await this.pool.connect()))
  }

  /** How many rows a table has. */
  async count(table: string): Promise<number> {
    return Number((await this.pool.query(`select count(*) from ${table}`)).rows[0].count)
  }

  /** The times in a column of a tenant's rows, ascending; epoch ms. */
  async times(table: string, column: string, { tenantId }: { tenantId: string }): Promise<number[]> {
    const { rows } = await this.pool.query(
      `select (extract(epoch from ${column}) * 1000)::float8 as at from ${table} where tenant_id = $1 order by 1`,
      [tenantId],
    )
    return rows.map(({ at }) => at)
  }
}

const replaced = <T extends object>(object: T, method: keyof T, by: unknown): T =>
  new Proxy(object, {
    get: (target, name) => {
      if (name === method) return by
      const value = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })

/** UTC. */
export const dateOf = (ms: number) => new Date(ms).toISOString().slice(0, 10)

export const partitionOf = (day: number) => `datapoints_${dateOf(day).replaceAll('-', '')}`

/** Columns of datapoints of one metric, for `insertDatapoints`. */
export const pointsAt = (...times: number[]) => ({
  metric: new Int32Array(times.length),
  ts: Float64Array.from(times),
  value: new Float64Array(times.length).fill(1),
  version: new Float64Array(times.length).fill(1),
})
