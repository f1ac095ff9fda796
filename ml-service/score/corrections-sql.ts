import { arrayText, TO_INSTANT } from '../../telemetry/batch-statements.ts'
import { type Database, instant } from '../database.ts'

interface MetricKey {
  tenantId: string
  metricId: string
}

/** A window that was corrected. */
export interface Mark {
  windowStart: number
  revision: number
}

/** Those of the metrics that have marked windows. */
export async function selectMarkedMetrics(
  db: Database,
  tenantId: string,
  metricIds: string[],
): Promise<string[]> {
  const { rows } = await db.query<{ metricId: string }>(
    `select distinct metric_id as "metricId" from corrected_windows
     where tenant_id = $1 and metric_id = any ($2::uuid[])`,
    [tenantId, metricIds],
  )
  return rows.map(({ metricId }) => metricId)
}

/** The first `limit` marked windows behind `after` that have rows, ascending. */
export async function selectMarks(
  db: Database,
  { tenantId, metricId }: MetricKey,
  { after, limit }: { after: number; limit: number },
): Promise<Mark[]> {
  const { rows } = await db.query<Mark>(
    `select (extract(epoch from window_start) * 1000)::float8 as "windowStart", revision::float8 as revision
     from corrected_windows c
     where tenant_id = $1 and metric_id = $2 and window_start > $3 and exists (
       select from window_aggregates w where w.tenant_id = c.tenant_id and w.metric_id = c.metric_id
         and w.window_start = c.window_start)
     order by window_start limit $4`,
    [tenantId, metricId, instant(after), limit],
  )
  return rows
}

/** Deletes the marks that are still at the revision they were read at. */
export async function deleteMarks(
  db: Database,
  { tenantId, metricId }: MetricKey,
  marks: Mark[],
): Promise<void> {
  await db.query(
    `delete from corrected_windows c using unnest($3::int8[], $4::int8[]) as done (window_start, revision)
     where c.tenant_id = $1 and c.metric_id = $2 and c.window_start = ${TO_INSTANT('done.window_start')}
       and c.revision = done.revision`,
    [
      tenantId,
      metricId,
      arrayText(marks.map(({ windowStart }) => windowStart)),
      arrayText(marks.map(({ revision }) => revision)),
    ],
  )
}
