import { type Database, instant } from '../../ml-service/database.ts'
import { arrayText, TO_INSTANT } from '../../telemetry/batch-statements.ts'
import type { WindowPart } from '../../telemetry/window-features.ts'

interface MetricKey {
  tenantId: string
  metricId: string
}

const NUMBERS = [
  ...(['windowStart', 'count', 'mean', 'm2', 'min', 'max', 'median', 'mad', 'firstTs', 'lastTs'] as const),
]

/** As a shard's flush is stored; `part` tells apart what comes to a window one after the other. */
export async function insertParts(
  db: Database,
  { tenantId, metricId }: MetricKey,
  parts: WindowPart[],
  part: number,
): Promise<void> {
  await db.query(
    `insert into window_aggregates (tenant_id, metric_id, window_start, shard, part, count, mean, m2, min, max,
       median, mad, first_ts, last_ts, sketch)
     select $1, $2, ${TO_INSTANT('w.start')}, 0, $3, w.count, w.mean, w.m2, w.min, w.max, w.median, w.mad,
       ${TO_INSTANT('w.first')}, ${TO_INSTANT('w.last')}, decode(w.sketch, 'base64')
     from unnest($4::int8[], $5::int4[], $6::float8[], $7::float8[], $8::float8[], $9::float8[], $10::float8[],
       $11::float8[], $12::int8[], $13::int8[], $14::text[])
       as w (start, count, mean, m2, min, max, median, mad, first, last, sketch)`,
    [
      ...[tenantId, metricId, part],
      ...NUMBERS.map((column) => arrayText(parts.map((one) => one[column]))),
      arrayText(parts.map(({ sketch }) => Buffer.from(sketch).toString('base64'))),
    ],
  )
}

/** The onset scores of the metric's windows from `since` on, by their start. */
export async function selectOnsetScores(
  db: Database,
  { tenantId, metricId }: MetricKey,
  since: number,
): Promise<Map<number, number>> {
  const { rows } = await db.query<{ start: number; score: number }>(
    `select (extract(epoch from window_start) * 1000)::float8 as start, onset_score as score
     from anomaly_scores where tenant_id = $1 and metric_id = $2 and window_end > $3`,
    [tenantId, metricId, instant(since)],
  )
  return new Map(rows.map(({ start, score }) => [start, score]))
}
