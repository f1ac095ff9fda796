import { arrayText, TO_INSTANT } from '../../telemetry/batch-statements.ts'
import type { Database } from '../database.ts'

interface MetricKey {
  tenantId: string
  metricId: string
}

export interface ModelRow {
  id: string
  path: string
  sha256: string
  trainedUntil: number
}

/** The models of these metrics of one tenant, newest first within each. */
export async function selectModels(
  db: Database,
  tenantId: string,
  metricIds: string[],
): Promise<(ModelRow & { metricId: string })[]> {
  const { rows } = await db.query<ModelRow & { metricId: string }>(
    `select metric_id as "metricId", id, path, sha256,
       (extract(epoch from trained_until) * 1000)::float8 as "trainedUntil"
     from models where tenant_id = $1 and metric_id = any($2) order by metric_id, trained_until desc`,
    [tenantId, metricIds],
  )
  return rows
}

/**
 * Records artefacts of one tenant; training again up to the same time updates an entry. Returns the paths that entries
 * had before and have no more.
 */
export async function upsertModels(
  db: Database,
  tenantId: string,
  models: (ModelRow & MetricKey)[],
): Promise<string[]> {
  const { rows } = await db.query<{ path: string }>(
    `with m as (
       select *, ${TO_INSTANT('until')} as trained_until
       from unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::float8[])
         as m (metric_id, id, path, sha256, until)),
     replaced as (
       select old.path from m join models old on old.tenant_id = $1 and old.metric_id = m.metric_id
         and old.trained_until = m.trained_until and old.path <> m.path),
     recorded as (
       insert into models (tenant_id, metric_id, id, path, sha256, trained_until)
       select $1, m.metric_id, m.id, m.path, m.sha256, m.trained_until from m
       on conflict (tenant_id, metric_id, trained_until)
       do update set path = excluded.path, sha256 = excluded.sha256, updated_at = now())
     select path from replaced`,
    [
      tenantId,
      arrayText(models.map(({ metricId }) => metricId)),
      arrayText(models.map(({ id }) => id)),
      models.map((model) => model.path),
      models.map(({ sha256 }) => sha256),
      arrayText(models.map(({ trainedUntil }) => trainedUntil)),
    ],
  )
  return rows.map(({ path }) => path)
}

export async function deleteModels(db: Database, tenantId: string, ids: string[]): Promise<void> {
  await db.query('delete from models where tenant_id = $1 and id = any($2)', [tenantId, ids])
}
