import type pg from 'pg'
import { selectPartColumns } from '../../ml-service/features/windows-sql.ts'
import { arrayText, TO_INSTANT } from '../../telemetry/batch-statements.ts'

/** Metrics of one transaction. */
const METRICS_AT_ONCE = 128
/** More than a metric has. */
const LIMIT = 1000

/**
 * Reads every window of the tenant and writes a score row for each, and nothing else: the product's own query and
 * array parameters, on one connection, without a walk, artefacts, rules, counters or claims.
 */
export async function bareScores(pool: pg.Pool, tenantId: string): Promise<void> {
  const { rows } = await pool.query<{ id: string }>(
    'select id from metrics where tenant_id = $1 order by id',
    [tenantId],
  )
  const client = await pool.connect()
  try {
    for (let i = 0; i < rows.length; i += METRICS_AT_ONCE) {
      const ids = rows.slice(i, i + METRICS_AT_ONCE).map(({ id }) => id)
      await client.query('begin')
      await copyWindows(client, tenantId, ids)
      await client.query('commit')
    }
  } finally {
    client.release()
  }
}

async function copyWindows(client: pg.PoolClient, tenantId: string, ids: string[]): Promise<void> {
  const ranges = ids.map((metricId) => ({ metricId, from: 0, to: Number.POSITIVE_INFINITY }))
  const read = await selectPartColumns(client, tenantId, ranges, LIMIT)
  const metricIds = read.flatMap(({ metricId, start }) => start.map(() => metricId))
  const starts = read.flatMap(({ start }) => start.map((seconds) => seconds * 1000))
  const values = read.flatMap(({ median }) => median)
  await client.query(
    `insert into anomaly_scores (tenant_id, metric_id, window_start, window_end, score, onset_score, state,
       reasons, expected_low, expected_high, deviation, model_id, scored_at)
     select $1, s.metric_id, ${TO_INSTANT('s.start')}, ${TO_INSTANT('s.start + 300000')}, s.value, s.value, 'ready',
       '[]', s.value, s.value, s.value, s.metric_id, now()
     from unnest($2::uuid[], $3::float8[], $4::float8[]) as s (metric_id, start, value)`,
    [tenantId, arrayText(metricIds), arrayText(starts), arrayText(values)],
  )
}
