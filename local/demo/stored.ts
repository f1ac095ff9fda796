import pg from 'pg'
import { WINDOW_MS } from '../../telemetry/window.ts'

/** How far event time runs past a window's end before the window closes. */
const ALLOWED_LATENESS_MS = 60_000

/** What the database holds of a tenant. */
export interface Stored {
  datapoints: number
  /** Datapoints in closed windows, by the windows' own counts. */
  windowed: number
  /** Datapoints newer than their series' last closed window: theirs are open, and close as time passes. */
  open: number
  /** Closed windows whose count is not that of their datapoints. */
  wrongWindows: number
  closedWindows: number
  scoredWindows: number
}

/**
 * Counts by SQL, as a witness beside the API. A window is open at most until its series' event time, which is
 * no earlier than its last datapoint, has passed its end and the allowed lateness.
 */
const COUNT = `
with points as (
  select metric_id, date_bin('${WINDOW_MS} ms', ts, 'epoch') as window_start, count(*) as count
  from datapoints where tenant_id = $1 group by 1, 2
), series as (
  select metric_id, max(ts) - interval '${ALLOWED_LATENESS_MS} ms' as watermark from datapoints where tenant_id = $1 group by 1
), windows as (
  select metric_id, window_start, coalesce(sum(count) filter (where superseded is not null), sum(count)) as count
  from window_aggregates where tenant_id = $1 group by 1, 2
), compared as (
  select points.count as held, windows.count as counted,
    points.window_start + interval '${WINDOW_MS} ms' > watermark as may_be_open
  from points join series using (metric_id) left join windows using (metric_id, window_start)
)
select
  coalesce(sum(held), 0)::float8 as datapoints,
  coalesce(sum(counted), 0)::float8 as windowed,
  coalesce(sum(held) filter (where counted is null and may_be_open), 0)::float8 as open,
  count(*) filter (where counted is distinct from held and not (counted is null and may_be_open))::float8 as "wrongWindows",
  count(counted)::float8 as "closedWindows",
  (select count(*) from anomaly_scores where tenant_id = $1)::float8 as "scoredWindows"
from compared`

export async function countStored(databaseUrl: string, tenantId: string): Promise<Stored> {
  const client = new pg.Client({ connectionString: databaseUrl })
  client.on('error', () => {}) // the query under way fails with it
  await client.connect()
  try {
    const { rows } = await client.query<Stored>(COUNT, [tenantId])
    return rows[0]!
  } finally {
    await client.end()
  }
}
