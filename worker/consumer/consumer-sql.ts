import type { Sql } from '../../durable-objects/connect-database.ts'
import type { DayUsage, FlushedWindow } from '../../durable-objects/window-frames.ts'
import type { BatchRows } from '../../telemetry/batch-rows.ts'
import { arrayText, TO_INSTANT } from '../../telemetry/batch-statements.ts'
import { SUPERSEDING_SHARD } from '../../telemetry/superseding-part.ts'

/*
 * What the queue consumers do in SQL besides telemetry/batch-statements.ts. Each statement can run any number of
 * times to the same effect, and rows come ordered by key, so that concurrent transactions wait for each other
 * instead of deadlocking. Arrays travel as one parameter a column; instants as epoch ms.
 */

/** For windows, which may come before their batches: they tell event time, not when the device was last heard of. */
export function insertNewDevices(sql: Sql, tenantId: string, rows: BatchRows['devices']) {
  return sql.query(
    `insert into devices (tenant_id, id, external_id, last_seen_at)
     select $1, d.id, d.external_id, least(${TO_INSTANT('d.last_seen')}, now())
     from unnest($2::uuid[], $3::text[], $4::int8[]) as d (id, external_id, last_seen) order by d.id
     on conflict (tenant_id, id) do nothing`,
    [tenantId, arrayText(rows.id), rows.externalId, arrayText(rows.lastSeenMs)],
  )
}

export function insertWindows(
  sql: Sql,
  tenantId: string,
  shard: number,
  metricIds: string[],
  windows: FlushedWindow[],
) {
  return sql.query(
    `insert into window_aggregates (tenant_id, metric_id, window_start, shard, part, count, mean, m2, min, max,
       median, mad, first_ts, last_ts, sketch)
     select $1, w.metric_id, ${TO_INSTANT('w.window_start')}, $2::int4, w.part, w.count, w.mean, w.m2, w.min, w.max,
       w.median, w.mad, ${TO_INSTANT('w.first_ts')}, ${TO_INSTANT('w.last_ts')}, decode(w.sketch, 'base64')
     from unnest($3::uuid[], $4::int8[], $5::int8[], $6::int4[], $7::float8[], $8::float8[], $9::float8[],
       $10::float8[], $11::float8[], $12::float8[], $13::int8[], $14::int8[], $15::text[])
       as w (metric_id, window_start, part, count, mean, m2, min, max, median, mad, first_ts, last_ts, sketch)
     order by w.metric_id, w.window_start, w.part
     on conflict do nothing`,
    [
      tenantId,
      shard,
      arrayText(metricIds),
      ...(
        [
          'windowStart',
          'part',
          'count',
          'mean',
          'm2',
          'min',
          'max',
          'median',
          'mad',
          'firstTs',
          'lastTs',
        ] as const
      ).map((column) => arrayText(windows.map((window) => window[column]))),
      windows.map(({ sketch }) => Buffer.from(sketch).toString('base64')),
    ],
  )
}

/** A part that comes to a superseded window unsettles it: it is computed again. After `markDue`, as all who mark. */
export function markUnsettled(sql: Sql, tenantId: string, metricIds: string[], windows: FlushedWindow[]) {
  return sql.query(
    `insert into corrected_windows (tenant_id, metric_id, window_start)
     select distinct $1::uuid, a.metric_id, a.window_start
     from unnest($2::uuid[], $3::int8[]) as w (metric_id, window_start)
       join window_aggregates a on a.tenant_id = $1 and a.metric_id = w.metric_id
         and a.window_start = ${TO_INSTANT('w.window_start')} and a.shard = ${SUPERSEDING_SHARD}
     order by 2, 3
     on conflict (tenant_id, metric_id, window_start) do update set revision = corrected_windows.revision + 1`,
    [tenantId, arrayText(metricIds), arrayText(windows.map(({ windowStart }) => windowStart))],
  )
}

export function upsertUsage(sql: Sql, tenantId: string, shard: number, days: DayUsage[]) {
  return sql.query(
    `insert into usage_daily (tenant_id, day, shard, datapoints, batches, bytes, duplicates, rejected)
     select $1, u.day, $2::int4, u.datapoints, u.batches, u.bytes, u.duplicates, u.rejected
     from unnest($3::date[], $4::int8[], $5::int8[], $6::int8[], $7::int8[], $8::int8[])
       as u (day, datapoints, batches, bytes, duplicates, rejected) order by u.day
     on conflict (tenant_id, day, shard) do update
       set datapoints = greatest(usage_daily.datapoints, excluded.datapoints),
         batches = greatest(usage_daily.batches, excluded.batches), bytes = greatest(usage_daily.bytes, excluded.bytes),
         duplicates = greatest(usage_daily.duplicates, excluded.duplicates),
         rejected = greatest(usage_daily.rejected, excluded.rejected)`,
    [
      tenantId,
      shard,
      ...(['day', 'datapoints', 'batches', 'bytes', 'duplicates', 'rejected'] as const).map((column) =>
        days.map((day) => day[column]),
      ),
    ],
  )
}

/**
 * A message is kept once, however often it is delivered. It is written each time all the same: who has read it
 * before cannot remove it any more.
 */
export function insertDeadLetter(sql: Sql, tenantId: string | null, body: unknown, reason: string) {
  return sql.query(
    `insert into dead_letters (tenant_id, body, reason) values ($1, $2, $3)
     on conflict (md5(body::text)) do update set reason = excluded.reason`,
    [tenantId, JSON.stringify(body), reason],
  )
}

export function insertFailedBatch(sql: Sql, tenantId: string, batchId: string, r2Key: string, error: string) {
  return sql.query(
    `insert into batches (tenant_id, batch_id, r2_key, status, error) values ($1, $2, $3, 'failed', $4)
     on conflict (tenant_id, batch_id) do update set error = excluded.error where batches.status = 'failed'`,
    [tenantId, batchId, r2Key, error],
  )
}
