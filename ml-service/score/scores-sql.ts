import { arrayText, TO_INSTANT } from '../../telemetry/batch-statements.ts'
import type { JudgedWindow } from '../alerts/evaluate-rules.ts'
import type { Database } from '../database.ts'

/** End of the newest scored window of each metric that has one. */
export async function lastScored(
  db: Database,
  tenantId: string,
  metricIds: string[],
): Promise<Map<string, number>> {
  const { rows } = await db.query<{ metricId: string; last: number }>(
    `select m.id as "metricId", (extract(epoch from s.window_end) * 1000)::float8 as last
     from unnest($2::uuid[]) as m (id) cross join lateral (
       select window_end from anomaly_scores where tenant_id = $1 and metric_id = m.id
       order by window_end desc limit 1) s`,
    [tenantId, arrayText(metricIds)],
  )
  return new Map(rows.map(({ metricId, last }) => [metricId, last]))
}

export interface ScoreRow {
  metricId: string
  verdict: JudgedWindow
  /** The artefact the walk started from; null while learning. */
  modelId: string | null
  /** While learning, when that will be over: epoch ms. */
  readyAt: number | undefined
}

export interface Written {
  metricId: string
  inserted: number
  updated: number
}

/** `$1` is the tenant, `$2` the time of scoring, the rest what `columnsOf` gives. */
const insertInto = (table: string) =>
  `insert into ${table} (tenant_id, metric_id, window_start, window_end, score, onset_score,
     state, reasons, expected_low, expected_high, deviation, model_id, ready_at, scored_at)
   select $1, s.metric_id, ${TO_INSTANT('s.window_start')}, ${TO_INSTANT('s.window_end')}, s.score,
     s.onset_score, s.state, coalesce(s.reasons, '[]'), s.expected_low, s.expected_high, s.deviation,
     s.model_id, ${TO_INSTANT('s.ready_at')}, $2
   from unnest($3::uuid[], $4::float8[], $5::float8[], $6::float8[], $7::float8[], $8::text[], $9::jsonb[],
     $10::float8[], $11::float8[], $12::float8[], $13::uuid[], $14::float8[])
     as s (metric_id, window_start, window_end, score, onset_score, state, reasons, expected_low,
       expected_high, deviation, model_id, ready_at)`

/**
 * Writes scores of windows behind a metric's newest scored one, which therefore have none yet: half the cost of
 * looking first. Fails as a conflict where somebody who does not hold the metric wrote one meanwhile.
 */
export async function insertScores(
  db: Database,
  tenantId: string,
  scores: ScoreRow[],
  now: number,
): Promise<void> {
  if (scores.length === 0) return
  await db.query(insertInto('anomaly_scores'), [tenantId, new Date(now), ...columnsOf(scores)])
}

/**
 * Writes what is new or has changed, ordered by key, and returns how many rows of each a metric has. A window
 * once scored does not go back to learning: that would only say that its past has been dropped by retention.
 */
export async function upsertScores(
  db: Database,
  tenantId: string,
  scores: ScoreRow[],
  now: number,
): Promise<Written[]> {
  if (scores.length === 0) return []
  const { rows } = await db.query<Written>(
    `with written as (
       ${insertInto('anomaly_scores as old')}
       on conflict (tenant_id, metric_id, window_end) do update
         set score = excluded.score, onset_score = excluded.onset_score, state = excluded.state,
           reasons = excluded.reasons, expected_low = excluded.expected_low,
           expected_high = excluded.expected_high, deviation = excluded.deviation,
           model_id = excluded.model_id, ready_at = excluded.ready_at, scored_at = excluded.scored_at
         where (old.score, old.onset_score, old.state, old.reasons, old.expected_low, old.expected_high,
             old.deviation, old.ready_at)
             is distinct from (excluded.score, excluded.onset_score, excluded.state, excluded.reasons,
               excluded.expected_low, excluded.expected_high, excluded.deviation, excluded.ready_at)
           and not (old.state = 'ready' and excluded.state = 'learning')
       returning metric_id, (xmax = 0) as inserted)
     select metric_id as "metricId", (count(*) filter (where inserted))::float8 as inserted,
       (count(*) filter (where not inserted))::float8 as updated from written group by metric_id`,
    [tenantId, new Date(now), ...columnsOf(scores)],
  )
  return rows
}

const columnsOf = (scores: ScoreRow[]) => [
  arrayText(scores.map(({ metricId }) => metricId)),
  arrayText(scores.map(({ verdict }) => verdict.windowStart)),
  arrayText(scores.map(({ verdict }) => verdict.windowEnd)),
  arrayText(scores.map(({ verdict }) => verdict.score)),
  arrayText(scores.map(({ verdict }) => verdict.onsetScore)),
  arrayText(scores.map(({ verdict }) => verdict.state)),
  arrayText(scores.map(({ verdict }) => jsonElement(verdict.reasons))),
  arrayText(scores.map(({ verdict }) => verdict.expected?.low ?? 'NULL')),
  arrayText(scores.map(({ verdict }) => verdict.expected?.high ?? 'NULL')),
  arrayText(scores.map(({ verdict }) => verdict.deviation?.amount ?? 'NULL')),
  arrayText(scores.map(({ modelId }) => modelId ?? 'NULL')),
  arrayText(scores.map(({ readyAt }) => readyAt ?? 'NULL')),
]

/** Most windows have no reasons. */
const jsonElement = (reasons: string[]) =>
  reasons.length === 0 ? 'NULL' : `"${JSON.stringify(reasons).replaceAll(/["\\]/g, '\\$&')}"`

/** Adds to the tenant's counter of the UTC day of `now`. Last in its transaction: every scorer wants this row. */
export async function countWindowsScored(
  db: Database,
  tenantId: string,
  windows: number,
  now: number,
): Promise<void> {
  await db.query(
    `insert into usage_daily as u (tenant_id, day, shard, windows_scored) values ($1, $2, 0, $3)
     on conflict (tenant_id, day, shard) do update set windows_scored = u.windows_scored + excluded.windows_scored`,
    [tenantId, new Date(now).toISOString().slice(0, 10), windows],
  )
}
