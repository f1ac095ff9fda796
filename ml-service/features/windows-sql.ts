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

export interface DatapointRow {
  ts: number
  value: number
}

/** At most `limit` datapoints of the range, oldest first. */
export async function selectDatapoints(
  db: Database,
  range: WindowRange,
  limit: number,
): Promise<DatapointRow[]> {
  const { rows } = await db.query<DatapointRow>(
    `select (extract(epoch from ts) * 1000)::float8 as ts, value from datapoints
     where tenant_id = $1 and metric_id = $2 and ts >= $3 and ts < $4 order by ts limit $5`,
    [range.tenantId, range.metricId, instant(range.from), instant(range.to), limit],
  )
  return rows
}

/**
 * How many parts each stretch of windows holds, with the revisions of superseding rows: stretch i runs from `untils[i - 1]` (the first one from the
 * metric's beginning) to before `untils[i]`, ascending.
 */
export async function countParts(
  db: Database,
  { tenantId, metricId }: { tenantId: string; metricId: string },
  untils: number[],
): Promise<number[]> {
  const { rows } = await db.query<{ parts: number }>(
    `select (select coalesce(sum(coalesce(a.revision, 1)), 0)::float8 from window_aggregates a
             where a.tenant_id = $1 and a.metric_id = $2 and a.window_start < s.until
               and (s.since is null or a.window_start >= s.since)) as parts
     from (select until, lag(until) over (order by until) as since
           from unnest($3::timestamptz[]) as until) s
     order by s.until`,
    [tenantId, metricId, untils.map(instant)],
  )
  return rows.map((row) => row.parts)
}
