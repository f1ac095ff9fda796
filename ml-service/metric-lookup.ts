import type pg from 'pg'
import { OPERATOR, scopedDatabase } from './database.ts'
import { UsageError } from './usage-error.ts'

/** A metric of a tenant, with its names for people. */
export interface Series {
  tenantId: string
  metricId: string
  device: string
  metric: string
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** The id of the tenant that `--tenant` names by id or name. Throws a UsageError when there is none. */
export async function findTenant(pool: pg.Pool, reference: string): Promise<string> {
  const { rows } = await scopedDatabase(pool, OPERATOR).query<{ id: string }>(
    'select id from tenants where name = $1 or id = $2 order by id = $2 desc limit 1',
    [reference, UUID.test(reference) ? reference : null],
  )
  const [row] = rows
  if (!row) throw new UsageError(`There is no tenant "${reference}": give --tenant an id or a name.`)
  return row.id
}

/** The metric that `--metric` names by id or `device/metric`; both names may hold slashes themselves. */
export async function findSeries(pool: pg.Pool, tenantId: string, reference: string): Promise<Series> {
  const splits = splitsOf(reference)
  const { rows } = await scopedDatabase(pool, { tenantId }).query<Series>(
    `select m.tenant_id as "tenantId", m.id as "metricId", d.external_id as device, m.name as metric
     from metrics m join devices d on d.tenant_id = m.tenant_id and d.id = m.device_id
     where m.tenant_id = $1 and (m.id = $2
       or (d.external_id, m.name) in (select * from unnest($3::text[], $4::text[])))`,
    [tenantId, UUID.test(reference) ? reference : null, ...splits],
  )
  const [row, ...others] = rows
  if (!row) throw new UsageError(`There is no metric "${reference}": give --metric an id or device/metric.`)
  if (others.length > 0)
    throw new UsageError(`"${reference}" names ${rows.length} metrics: give --metric an id.`)
  return row
}

/** Every metric, or every metric of one tenant, in a fixed order. */
export async function listSeries(pool: pg.Pool, tenantId?: string): Promise<Series[]> {
  const tenantIds = tenantId === undefined ? await listTenants(pool) : [tenantId]
  const all: Series[][] = []
  for (const id of tenantIds) all.push(await seriesOf(pool, id))
  return all.flat()
}

/** The ids of all tenants, in a fixed order. */
export async function listTenants(pool: pg.Pool): Promise<string[]> {
  const { rows } = await scopedDatabase(pool, OPERATOR).query<{ id: string }>(
    'select id from tenants order by id',
  )
  return rows.map(({ id }) => id)
}

async function seriesOf(pool: pg.Pool, tenantId: string): Promise<Series[]> {
  const { rows } = await scopedDatabase(pool, { tenantId }).query<Series>(
    `select m.tenant_id as "tenantId", m.id as "metricId", d.external_id as device, m.name as metric
     from metrics m join devices d on d.tenant_id = m.tenant_id and d.id = m.device_id
     where m.tenant_id = $1 order by m.id`,
    [tenantId],
  )
  return rows
}

/** Every way to read `device/metric`, as two arrays of equal length. */
function splitsOf(reference: string): [string[], string[]] {
  const devices: string[] = []
  const metrics: string[] = []
  for (let at = reference.indexOf('/'); at !== -1; at = reference.indexOf('/', at + 1)) {
    devices.push(reference.slice(0, at))
    metrics.push(reference.slice(at + 1))
  }
  return [devices, metrics]
}
