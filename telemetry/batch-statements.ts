import type { BatchRows, LoadedBatch } from './batch-rows.ts'
import { SUPERSEDING_SHARD } from './superseding-part.ts'
import { WINDOW_MS } from './window.ts'

/*
 * How batches become rows, the same for whoever stores them: the queue consumer and a replay. Each statement can
 * run any number of times to the same effect, and rows come ordered by key, so that concurrent transactions wait
 * for each other instead of deadlocking. Arrays travel as one parameter a column; instants as epoch ms.
 */

/** A statement for whichever driver. */
export interface Statement {
  text: string
  values: unknown[]
}

export const TO_INSTANT = (column: string) => `to_timestamp(${column} / 1000.0)`

/** An array of numbers or ids in Postgres' text form. The driver would quote each element, which JSON then escapes. */
export const arrayText = (column: { join(separator: string): string }) => `{${column.join(',')}}`

export function upsertDevices(tenantId: string, rows: BatchRows['devices']): Statement {
  return {
    text: `insert into devices (tenant_id, id, external_id, last_seen_at)
     select $1, d.id, d.external_id, ${TO_INSTANT('d.last_seen')}
     from unnest($2::uuid[], $3::text[], $4::int8[]) as d (id, external_id, last_seen) order by d.id
     on conflict (tenant_id, id) do update set last_seen_at = excluded.last_seen_at
     where devices.last_seen_at < excluded.last_seen_at`,
    values: [tenantId, arrayText(rows.id), rows.externalId, arrayText(rows.lastSeenMs)],
  }
}

/** Whether a batch that named `unit` changes what a metric keeps of such batches: see `unit-record.ts`. */
const TEACHES = (unit: string, version: string) =>
  `(${version} > metrics.previous_unit_version and (${version} > metrics.unit_version
     or ${version} < metrics.unit_since or ${unit} <> metrics.unit))`

/** Picks the last unit, the one before, and the first batch after that, of those kept and those that come. */
export function upsertMetrics(tenantId: string, { unit, ...rows }: BatchRows['metrics']): Statement {
  return {
    text: `insert into metrics (tenant_id, id, device_id, name, unit, unit_version, unit_since, previous_unit,
       previous_unit_version, last_ts)
     select $1, m.id, m.device_id, m.name, m.unit, m.unit_version, m.unit_since, m.previous_unit,
       m.previous_unit_version, ${TO_INSTANT('m.last_ts')}
     from unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::int8[], $7::int8[], $8::text[], $9::int8[],
       $10::int8[])
       as m (id, device_id, name, unit, unit_version, unit_since, previous_unit, previous_unit_version, last_ts)
     order by m.id
     on conflict (tenant_id, id) do update
       set last_ts = greatest(metrics.last_ts, excluded.last_ts),
         (unit, unit_version, unit_since, previous_unit, previous_unit_version) = (
           with seen (unit, version) as (values
             (metrics.unit, metrics.unit_version), (metrics.unit, metrics.unit_since),
             (metrics.previous_unit, metrics.previous_unit_version),
             (excluded.unit, excluded.unit_version), (excluded.unit, excluded.unit_since),
             (excluded.previous_unit, excluded.previous_unit_version)),
           last as (select unit, version from seen where unit is not null
             order by version desc, unit collate "C" desc limit 1),
           previous as (select seen.unit, seen.version from seen join last on seen.unit <> last.unit
             order by seen.version desc, seen.unit collate "C" desc limit 1)
           select last.unit, coalesce(last.version, 0),
             coalesce((select min(version) from seen
               where unit = last.unit and version > coalesce(previous.version, 0)), last.version, 0),
             previous.unit, coalesce(previous.version, 0)
           from (select) as always left join last on true left join previous on true)
     where coalesce(metrics.last_ts < excluded.last_ts, true)
       or ${TEACHES('excluded.unit', 'excluded.unit_version')}
       or ${TEACHES('excluded.unit', 'excluded.unit_since')}
       or ${TEACHES('excluded.previous_unit', 'excluded.previous_unit_version')}`,
    values: [
      tenantId,
      arrayText(rows.id),
      arrayText(rows.deviceId),
      rows.name,
      unit.map((record) => record?.last.unit ?? null),
      arrayText(unit.map((record) => record?.last.version ?? 0)),
      arrayText(unit.map((record) => record?.since ?? 0)),
      unit.map((record) => record?.previous?.unit ?? null),
      arrayText(unit.map((record) => record?.previous?.version ?? 0)),
      arrayText(rows.lastMs),
    ],
  }
}

const DATAPOINTS = `unnest($3::int4[], $4::int8[], $5::float8[], $6::int8[]) as d (metric, ts, value, version)`

/** Rows that are not there yet, by metric id and timestamp; `metric` is an index into `metricIds`. */
export function insertDatapoints(
  tenantId: string,
  metricIds: string[],
  { metric, ts, value, version }: BatchRows['datapoints'],
): Statement {
  return {
    text: `insert into datapoints (tenant_id, metric_id, ts, value, version)
     select $1, ($2::uuid[])[d.metric + 1], ${TO_INSTANT('d.ts')}, d.value, d.version from ${DATAPOINTS}`,
    values: [tenantId, ...[metricIds, metric, ts, value, version].map(arrayText)],
  }
}

type DatapointRows = Parameters<typeof insertDatapoints>

/** Of rows of which some may be there, those that are not. Waits for other transactions that bring the same. */
export function insertMissingDatapoints(...rows: DatapointRows): Statement {
  const { text, values } = insertDatapoints(...rows)
  return { text: `${text} on conflict do nothing`, values }
}

/** Of rows that are there, puts those with a higher version in their place. */
export function replaceDatapoints(...rows: DatapointRows): Statement {
  const { text, values } = insertDatapoints(...rows)
  return {
    text: `${text}
     on conflict (tenant_id, metric_id, ts) do update set value = excluded.value, version = excluded.version
     where (excluded.version, excluded.value) > (datapoints.version, datapoints.value)`,
    values,
  }
}

/** Whether any of the batches of this transaction, whose ids `ids` holds, is not stored: of others nothing is news. */
const ANY_IS_NEW = (ids: string) => `exists (select from unnest(${ids}) as b (id) where not exists (
  select from batches where tenant_id = $1 and batch_id = b.id and status = 'persisted'))`

/** The revision tells a scorer that more came while it worked. */
const DUE_AGAIN = `on conflict (tenant_id, metric_id) do update
       set revision = due_metrics.revision + 1, changed_from = least(due_metrics.changed_from, excluded.changed_from)`

/** Marks the windows of the select `corrected`, and their metrics due: these first, as who scores locks them first. */
const MARK = (corrected: string) => `with corrected as materialized (${corrected}),
     due as (insert into due_metrics (tenant_id, metric_id, changed_from)
       select $1::uuid, metric_id, min(window_start) from corrected group by metric_id order by metric_id
       ${DUE_AGAIN} returning metric_id)
     insert into corrected_windows (tenant_id, metric_id, window_start)
     select $1, metric_id, window_start from corrected where metric_id in (select metric_id from due)
     order by metric_id, window_start
     on conflict (tenant_id, metric_id, window_start) do update set revision = corrected_windows.revision + 1`

/**
 * Marks the windows of rows that other batches brought before, with another version, whichever of the two wins: the
 * window's statistics count both. Runs between `insertMissingDatapoints`, after which every row is there and seen, and
 * `replaceDatapoints`.
 */
export function markCorrected(batchIds: string[], ...rows: DatapointRows): Statement {
  const stored = `select p.version, p.value from datapoints p
         where p.tenant_id = $1 and p.metric_id = ($2::uuid[])[d.metric + 1] and p.ts = ${TO_INSTANT('d.ts')} limit 1`
  return {
    text: MARK(`select distinct ($2::uuid[])[d.metric + 1] as metric_id, ${WINDOW_START('d.ts')} as window_start
       from ${DATAPOINTS} cross join lateral (${stored}) as stored
       where (stored.version, stored.value) <> (d.version, d.value) and ${ANY_IS_NEW('$7::text[]')}`),
    values: [...insertDatapoints(...rows).values, batchIds],
  }
}

const WINDOW_START = (ts: string) => TO_INSTANT(`(${ts} - ${ts} % ${WINDOW_MS})`)

/** Windows as `metric`, an index into the ids that come with them, and `windowStart`. */
type Windows = BatchRows['repeated']

/** Marks windows of which the batches of this transaction themselves brought a timestamp more than once. */
export const markRepeated = (...windows: WindowRows) => markWindows('true', ...windows)

/**
 * Marks windows that this transaction brings datapoints of and that have a row which supersedes their parts: it does
 * not count these, and parts may have come before them.
 */
export const markSuperseded = (...windows: WindowRows) =>
  markWindows(
    `exists (select from window_aggregates a where a.tenant_id = $1 and a.metric_id = ($2::uuid[])[w.metric + 1]
       and a.window_start = ${TO_INSTANT('w.start')} and a.shard = ${SUPERSEDING_SHARD})`,
    ...windows,
  )

type WindowRows = [tenantId: string, batchIds: string[], metricIds: string[], windows: Windows]

function markWindows(condition: string, ...[tenantId, batchIds, metricIds, windows]: WindowRows): Statement {
  return {
    text: MARK(`select ($2::uuid[])[w.metric + 1] as metric_id, ${TO_INSTANT('w.start')} as window_start
       from unnest($3::int4[], $4::int8[]) as w (metric, start) where ${condition} and ${ANY_IS_NEW('$5::text[]')}`),
    values: [tenantId, ...[metricIds, windows.metric, windows.windowStart].map(arrayText), batchIds],
  }
}

export function insertBatches(tenantId: string, batches: LoadedBatch[], persistedAt: number): Statement {
  return {
    text: `insert into batches (tenant_id, batch_id, r2_key, status, datapoints, rejected, received_at, persisted_at,
       trace_id)
     select $1, b.batch_id, b.r2_key, 'persisted', b.datapoints, b.rejected, ${TO_INSTANT('b.received')},
       ${TO_INSTANT('$2::int8')}, b.trace
     from unnest($3::text[], $4::text[], $5::int4[], $6::int4[], $7::int8[], $8::uuid[])
       as b (batch_id, r2_key, datapoints, rejected, received, trace) order by b.batch_id
     on conflict (tenant_id, batch_id) do update
       set status = excluded.status, datapoints = excluded.datapoints, rejected = excluded.rejected,
         received_at = excluded.received_at, persisted_at = excluded.persisted_at, error = null,
         trace_id = excluded.trace_id
     where batches.status = 'failed'`,
    values: [
      tenantId,
      persistedAt,
      batches.map(({ batchId }) => batchId),
      batches.map(({ r2Key }) => r2Key),
      batches.map(({ columns }) => columns.ts.length),
      batches.map(({ rejected }) => rejected),
      batches.map(({ receivedAt }) => receivedAt),
      batches.map(({ traceId }) => traceId ?? null),
    ],
  }
}

/**
 * Metrics have windows to score, one or more of each: `metricIds` and `windowStarts` (epoch ms) side by side. All whose
 * rows changed have to be here: of older ones a scorer takes it that they are as it knew them.
 */
export function markDue(tenantId: string, metricIds: string[], windowStarts: number[]): Statement {
  return {
    text: `insert into due_metrics (tenant_id, metric_id, changed_from)
     select $1, w.metric_id, ${TO_INSTANT('min(w.start)')}
     from unnest($2::uuid[], $3::int8[]) as w (metric_id, start) group by w.metric_id order by w.metric_id
     ${DUE_AGAIN}`,
    values: [tenantId, arrayText(metricIds), arrayText(windowStarts)],
  }
}
