import type { Verdict } from '../baseline/baseline.ts'
import type { Database } from '../database.ts'
import type { Series } from '../metric-lookup.ts'

export interface MetricKey {
  tenantId: string
  metricId: string
}

/**
 * Claims the metric that has been due longest and is held by nobody else, until the transaction ends;
 * undefined when there is none. `except` are metric ids to leave alone.
 */
export async function claimDueMetric(db: Database, except: string[]): Promise<MetricKey | undefined> {
  const { rows } = await db.query<MetricKey>(
    `select tenant_id as "tenantId", metric_id as "metricId" from due_metrics where metric_id <> all($1::uuid[])
     order by due_since, metric_id limit 1 for update skip locked`,
    [except],
  )
  return rows[0]
}

/** A claimed metric with its names: its due row, which refers to it, is locked. */
export async function nameMetric(db: Database, { tenantId, metricId }: MetricKey): Promise<Series> {
  const { rows } = await db.query<Series>(
    `select m.tenant_id as "tenantId", m.id as "metricId", d.external_id as device, m.name as metric
     from metrics m join devices d on d.tenant_id = m.tenant_id and d.id = m.device_id
     where m.tenant_id = $1 and m.id = $2`,
    [tenantId, metricId],
  )
  return rows[0]!
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
    [except],
  )
  return rows[0]!
}

/** Waits until nobody else scores this metric and keeps it so until the transaction ends. */
export async function lockMetric(db: Database, { tenantId, metricId }: MetricKey): Promise<void> {
  await db.query('select 1 from due_metrics where tenant_id = $1 and metric_id = $2 for update', [
    tenantId,
    metricId,
  ])
  await db.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`score/${tenantId}/${metricId}`])
}

export async function deleteDue(db: Database, { tenantId, metricId }: MetricKey): Promise<void> {
  await db.query('delete from due_metrics where tenant_id = $1 and metric_id = $2', [tenantId, metricId])
}

/** End of the newest scored window; undefined before the first. */
export async function lastScored(
  db: Database,
  { tenantId, metricId }: MetricKey,
): Promise<number | undefined> {
  const { rows } = await db.query<{ last: number | null }>(
    `select (extract(epoch from max(window_end)) * 1000)::float8 as last
     from anomaly_scores where tenant_id = $1 and metric_id = $2`,
    [tenantId, metricId],
  )
  return rows[0]?.last ?? undefined
}

export interface ScoreRow extends Verdict {
  /** The artefact the walk started from; null while learning. */
  modelId: string | null
}

/**
 * Writes what is new or has changed and returns how many rows of each. A window once scored does not go back
 * to learning: that would only say that its past has been dropped by retention.
 */
export async function upsertScores(
  db: Database,
  { tenantId, metricId }: MetricKey,
  scores: ScoreRow[],
  now: number,
): Promise<{ inserted: number; updated: number }> {
  const { rows } = await db.query<{ inserted: number; updated: number }>(
    `with written as (
       insert into anomaly_scores as old (tenant_id, metric_id, window_start, window_end, score, onset_score,
         state, reasons, expected_low, expected_high, model_id, scored_at)
       select $1, $2, s.window_start, s.window_end, s.score, s.onset_score, s.state, s.reasons,
         s.expected_low, s.expected_high, s.model_id, $3
       from unnest($4::timestamptz[], $5::timestamptz[], $6::float8[], $7::float8[], $8::text[], $9::jsonb[],
         $10::float8[], $11::float8[], $12::uuid[])
         as s (window_start, window_end, score, onset_score, state, reasons, expected_low, expected_high, model_id)
       on conflict (tenant_id, metric_id, window_end) do update
         set score = excluded.score, onset_score = excluded.onset_score, state = excluded.state,
           reasons = excluded.reasons, expected_low = excluded.expected_low,
           expected_high = excluded.expected_high, model_id = excluded.model_id, scored_at = excluded.scored_at
         where (old.score, old.onset_score, old.state, old.reasons, old.expected_low, old.expected_high)
             is distinct from (excluded.score, excluded.onset_score, excluded.state, excluded.reasons,
               excluded.expected_low, excluded.expected_high)
           and not (old.state = 'ready' and excluded.state = 'learning')
       returning (xmax = 0) as inserted)
     select (count(*) filter (where inserted))::float8 as inserted,
       (count(*) filter (where not inserted))::float8 as updated from written`,
    [tenantId, metricId, new Date(now), ...columnsOf(scores)],
  )
  return rows[0]!
}

const columnsOf = (scores: ScoreRow[]) => [
  scores.map((row) => new Date(row.windowStart)),
  scores.map((row) => new Date(row.windowEnd)),
  scores.map((row) => row.score),
  scores.map((row) => row.onsetScore),
  scores.map((row) => row.state),
  scores.map((row) => JSON.stringify(row.reasons)),
  scores.map((row) => row.expected?.low ?? null),
  scores.map((row) => row.expected?.high ?? null),
  scores.map((row) => row.modelId),
]

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
