import { arrayText } from '../../telemetry/batch-statements.ts'
import type { Database } from '../database.ts'
import type { Series } from '../metric-lookup.ts'

export interface MetricKey {
  tenantId: string
  metricId: string
}

export interface DueMetric extends MetricKey {
  /** Start of the oldest window that changed since the metric was scored, epoch ms; -Infinity: not known. */
  changedFrom: number
}

/** A chunk is at least so many metrics, and otherwise a part of what the tenant has: many processes may want some. */
const LEAST_METRICS = 16
const SHARES = 8

/**
 * A holder whose host vanished, so that nobody closed its connection, is idle within its transaction: Postgres ends
 * it then. One that was killed gives its locks back at once.
 */
const HOLDER_TIMEOUT = '45s'

/**
 * Claims up to `limit` due metrics that nobody else holds, until the transaction ends: of one tenant, whose metric has
 * been due longest. `except` are metric ids to leave alone.
 */
export async function claimDue(db: Database, except: string[], limit: number): Promise<DueMetric[]> {
  await db.query("select set_config('idle_in_transaction_session_timeout', $1, true)", [HOLDER_TIMEOUT])
  const { rows } = await db.query<DueMetric>(
    `with oldest as (
       select tenant_id from due_metrics where metric_id <> all($1::uuid[])
       order by due_since, metric_id limit 1 for update skip locked)
     select tenant_id as "tenantId", metric_id as "metricId",
       (extract(epoch from changed_from) * 1000)::float8 as "changedFrom"
     from due_metrics
     where tenant_id = (select tenant_id from oldest) and metric_id <> all($1::uuid[])
     order by due_since, metric_id
     limit least($2, greatest($3, (
       select count(*) / $4 from due_metrics where tenant_id = (select tenant_id from oldest))))
     for update skip locked`,
    [arrayText(except), limit, Math.min(LEAST_METRICS, limit), SHARES],
  )
  return rows
}

/** Claimed metrics of one tenant with their names, by id; their due rows, which refer to them, are locked. */
export async function nameMetrics(db: Database, tenantId: string, metricIds: string[]): Promise<Series[]> {
  const { rows } = await db.query<Series>(
    `select m.tenant_id as "tenantId", m.id as "metricId", d.external_id as device, m.name as metric
     from metrics m join devices d on d.tenant_id = m.tenant_id and d.id = m.device_id
     where m.tenant_id = $1 and m.id = any($2) order by m.id`,
    [tenantId, metricIds],
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
 * where there is none. Tells whether there was one.
 */
export async function lockMetric(db: Database, { tenantId, metricId }: MetricKey): Promise<boolean> {
  const { rows } = await db.query<{ wasDue: boolean }>(
    `insert into due_metrics (tenant_id, metric_id) values ($1, $2)
     on conflict (tenant_id, metric_id) do update set revision = due_metrics.revision
     returning xmax <> 0 as "wasDue"`,
    [tenantId, metricId],
  )
  return rows[0]!.wasDue
}

/** Removes due rows that the transaction has locked: what comes meanwhile waits for it and makes its metric due again. */
export async function deleteDue(db: Database, tenantId: string, metricIds: string[]): Promise<void> {
  await db.query('delete from due_metrics where tenant_id = $1 and metric_id = any($2)', [
    tenantId,
    metricIds,
  ])
}
