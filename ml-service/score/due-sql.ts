import { arrayText } from '../../telemetry/batch-statements.ts'
import type { Database } from '../database.ts'
import type { Series } from '../metric-lookup.ts'

/** A part of one tenant's metrics: those whose id falls into `bucket` of `of`, a power of two up to 256. */
export interface Bucket {
  tenantId: string
  bucket: number
  of: number
}

/** The revision tells whether more came while the metric was scored. */
export interface DueSeries extends Series {
  revision: string
}

/**
 * Claims up to `limit` due metrics of a bucket that nobody else holds, until the transaction ends. `except` are
 * metric ids to leave alone. Ids are hashes, so their last byte spreads evenly.
 */
export async function claimDue(
  db: Database,
  { tenantId, bucket, of }: Bucket,
  except: string[],
  limit: number,
): Promise<DueSeries[]> {
  const { rows } = await db.query<DueSeries>(
    `with claimed as (
       select tenant_id, metric_id, revision from due_metrics
       where tenant_id = $1 and get_byte(uuid_send(metric_id), 15) % $3 = $2 and metric_id <> all($4::uuid[])
       order by due_since, metric_id limit $5 for update skip locked)
     select c.tenant_id as "tenantId", c.metric_id as "metricId", d.external_id as device, m.name as metric,
       c.revision
     from claimed c join metrics m on m.tenant_id = c.tenant_id and m.id = c.metric_id
       join devices d on d.tenant_id = m.tenant_id and d.id = m.device_id
     order by c.metric_id`,
    [tenantId, bucket, of, arrayText(except), limit],
  )
  return rows
}

/** How many metrics of each tenant are due, held by somebody or not; those that wait longest first. */
export async function countDueByTenant(
  db: Database,
  except: string[],
  limit: number,
): Promise<{ tenantId: string; due: number }[]> {
  const { rows } = await db.query<{ tenantId: string; due: number }>(
    `select tenant_id as "tenantId", count(*)::float8 as due from due_metrics
     where metric_id <> all($1::uuid[]) group by tenant_id order by min(due_since) limit $2`,
    [arrayText(except), limit],
  )
  return rows
}

/** How many metrics are due, held by somebody or not, and for how long the oldest has been. */
export async function countDue(
  db: Database,
  except: string[],
): Promise<{ count: number; oldestSeconds: number }> {
  const { rows } = await db.query<{ count: number; oldestSeconds: number }>(
    `select count(*)::float8 as count,
       coalesce(extract(epoch from now() - min(due_since)), 0)::float8 as "oldestSeconds"
     from due_metrics where metric_id <> all($1::uuid[])`,
    [arrayText(except)],
  )
  return rows[0]!
}

/**
 * Waits until nobody else scores this metric and keeps it so until the transaction ends: by its due row, which is made
 * where there is none. Tells whether there was one, and its revision.
 */
export async function lockMetric(
  db: Database,
  { tenantId, metricId }: { tenantId: string; metricId: string },
): Promise<{ revision: string; wasDue: boolean }> {
  const { rows } = await db.query<{ revision: string; wasDue: boolean }>(
    `insert into due_metrics (tenant_id, metric_id) values ($1, $2)
     on conflict (tenant_id, metric_id) do update set revision = due_metrics.revision
     returning revision, xmax <> 0 as "wasDue"`,
    [tenantId, metricId],
  )
  return rows[0]!
}

/** Removes the due rows that were worked off; one to which more came in the meantime stays. */
export async function deleteDue(
  db: Database,
  tenantId: string,
  due: { metricId: string; revision: string }[],
): Promise<void> {
  await db.query(
    `delete from due_metrics d using unnest($2::uuid[], $3::int8[]) as w (metric_id, revision)
     where d.tenant_id = $1 and d.metric_id = w.metric_id and d.revision = w.revision`,
    [
      tenantId,
      arrayText(due.map(({ metricId }) => metricId)),
      arrayText(due.map(({ revision }) => revision)),
    ],
  )
}
