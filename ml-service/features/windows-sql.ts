import pg from 'pg'
import { arrayText } from '../../telemetry/batch-statements.ts'
import type { WindowPart } from '../../telemetry/window-features.ts'
import { type Database, instant } from '../database.ts'

/** Which metric's windows, and which of them: `from <= window_start < to`, epoch ms. */
export interface WindowRange {
  tenantId: string
  metricId: string
  from: number
  to: number
}

export interface PartRow extends Omit<WindowPart, 'sketch'> {
  /** Null for the only part of its window and for a superseded one, which need none. */
  sketch: Buffer | null
  /** As in telemetry/superseding-part.ts; null on a part, like `revision`. */
  superseded: number | null
  revision: number | null
}

/**
 * The first `limit` parts of the range, oldest first; the last window may be cut short. One walk along the
 * primary key, whatever the planner knows of the table.
 */
export async function selectParts(db: Database, range: WindowRange, limit: number): Promise<PartRow[]> {
  const { rows } = await db.query<PartRow>(
    `select (extract(epoch from window_start) * 1000)::float8 as "windowStart",
       count, mean, m2, min, max, median, mad,
       (extract(epoch from first_ts) * 1000)::float8 as "firstTs",
       (extract(epoch from last_ts) * 1000)::float8 as "lastTs",
       case when count(*) over rows_of_window > 1 and max(superseded) over rows_of_window is null
         then sketch end as sketch, superseded, revision
     from (select * from window_aggregates
           where tenant_id = $1 and metric_id = $2 and window_start >= $3 and window_start < $4
           order by window_start, shard, part limit $5) first_parts
     window rows_of_window as (partition by window_start)
     order by window_start, shard, part`,
    [range.tenantId, range.metricId, instant(range.from), instant(range.to), limit],
  )
  return rows
}

/** Datapoints by columns, oldest first; `ts` in epoch ms. */
export interface DatapointColumns {
  ts: number[]
  values: number[]
}

/** At most `limit` datapoints of the range: an array a column, not an object a datapoint. */
export async function selectDatapoints(
  db: Database,
  range: WindowRange,
  limit: number,
): Promise<DatapointColumns> {
  const { rows } = await db.query<{ ts: number[] | null; values: number[] | null }>({
    text: `select array_agg(round(date_part('epoch', ts) * 1000)) as ts, array_agg(value) as values
     from (select ts, value from datapoints
           where tenant_id = $1 and metric_id = $2 and ts >= $3 and ts < $4 order by ts limit $5) first_rows`,
    values: [range.tenantId, range.metricId, instant(range.from), instant(range.to), limit],
    types: NUMBER_ARRAYS,
  })
  return { ts: rows[0]?.ts ?? [], values: rows[0]?.values ?? [] }
}

/** Windows of one metric from `since` (undefined: its beginning) to before `until`, epoch ms. */
export interface Stretch {
  metricId: string
  since: number | undefined
  until: number
}

/** How many parts each stretch of a tenant's windows holds; where a row supersedes them, its revisions count as well. */
export async function countParts(db: Database, tenantId: string, stretches: Stretch[]): Promise<number[]> {
  const { rows } = await db.query<{ parts: number }>(
    `select (select coalesce(sum(coalesce(a.revision, 1)), 0)::float8 from window_aggregates a
             where a.tenant_id = $1 and a.metric_id = s.metric_id
               and a.window_start >= s.since and a.window_start < s.until) as parts
     from unnest($2::uuid[], $3::timestamptz[], $4::timestamptz[]) with ordinality as s (metric_id, since, until, nth)
     order by s.nth`,
    [
      tenantId,
      arrayText(stretches.map(({ metricId }) => metricId)),
      instants(stretches.map(({ since = Number.NEGATIVE_INFINITY }) => since)),
      instants(stretches.map(({ until }) => until)),
    ],
  )
  return rows.map((row) => row.parts)
}

/** The first rows of a metric's windows by columns, in the order of their keys; starts in seconds. */
export interface PartColumns {
  metricId: string
  start: number[]
  count: number[]
  mean: number[]
  m2: number[]
  min: number[]
  max: number[]
  median: number[]
  mad: number[]
  /** Whether a row among them supersedes others. */
  superseding: boolean
}

/**
 * Of each of these metrics of one tenant the first `limit` rows of its range; none of a metric that has none.
 * An array a column costs a third of what a row object a window does, on both sides.
 */
export async function selectPartColumns(
  db: Database,
  tenantId: string,
  ranges: Omit<WindowRange, 'tenantId'>[],
  limit: number,
): Promise<PartColumns[]> {
  const { rows } = await db.query<PartColumns>({
    text: `select r.metric_id as "metricId", c.* from unnest($2::uuid[], $3::timestamptz[], $4::timestamptz[])
       as r (metric_id, since, until)
     cross join lateral (
       select array_agg(date_part('epoch', window_start)) as start, array_agg(count) as count,
         array_agg(mean) as mean, array_agg(m2) as m2, array_agg(min) as min, array_agg(max) as max,
         array_agg(median) as median, array_agg(mad) as mad, bool_or(superseded is not null) as superseding
       from (select * from window_aggregates
             where tenant_id = $1 and metric_id = r.metric_id and window_start >= r.since and window_start < r.until
             order by window_start, shard, part limit $5) first_rows) c
     where c.start is not null`,
    values: [
      tenantId,
      arrayText(ranges.map(({ metricId }) => metricId)),
      instants(ranges.map(({ from }) => from)),
      instants(ranges.map(({ to }) => to)),
      limit,
    ],
    types: NUMBER_ARRAYS,
  })
  return rows
}

const INT_ARRAY = 1007
const DOUBLE_ARRAY = 1022

/** Arrays of finite numbers are JSON but for their brackets; the driver reads them a character at a time. */
const numbersOf = (text: string): number[] => JSON.parse(`[${text.slice(1, -1)}]`)

const NUMBER_ARRAYS: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format: 'text' | 'binary') =>
    oid === INT_ARRAY || oid === DOUBLE_ARRAY
      ? numbersOf
      : pg.types.getTypeParser(oid, format)) as pg.CustomTypesConfig['getTypeParser'],
}

const instants = (column: number[]) =>
  arrayText(
    column.map((ms) =>
      Number.isFinite(ms) ? new Date(ms).toISOString() : ms < 0 ? '-infinity' : 'infinity',
    ),
  )
