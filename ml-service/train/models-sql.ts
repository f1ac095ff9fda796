import { type Database, instant } from '../database.ts'

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

/** The metric's models that end by `until`, newest first. */
export async function selectModels(db: Database, key: MetricKey, until: number): Promise<ModelRow[]> {
  const { rows } = await db.query<ModelRow>(
    `select id, path, sha256, (extract(epoch from trained_until) * 1000)::float8 as "trainedUntil"
     from models where tenant_id = $1 and metric_id = $2 and trained_until <= $3
     order by trained_until desc`,
    [key.tenantId, key.metricId, instant(until)],
  )
  return rows
}

/** Records an artefact; training again up to the same time updates its entry. */
export async function upsertModel(db: Database, key: MetricKey, model: ModelRow): Promise<void> {
  await db.query(
    `insert into models (tenant_id, metric_id, id, path, sha256, trained_until)
     values ($1, $2, $3, $4, $5, $6)
     on conflict (tenant_id, metric_id, trained_until)
     do update set path = excluded.path, sha256 = excluded.sha256, updated_at = now()`,
    [key.tenantId, key.metricId, model.id, model.path, model.sha256, new Date(model.trainedUntil)],
  )
}

export async function deleteModels(db: Database, key: MetricKey, ids: string[]): Promise<void> {
  await db.query('delete from models where tenant_id = $1 and metric_id = $2 and id = any($3)', [
    key.tenantId,
    key.metricId,
    ids,
  ])
}
