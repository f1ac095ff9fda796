import type { BatchRows, LoadedBatch } from './batch-rows.ts'

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

/** Rows that are not there yet, by metric id and timestamp; `metric` is an index into `metricIds`. */
export function insertDatapoints(
  tenantId: string,
  metricIds: string[],
  { metric, ts, value, version }: BatchRows['datapoints'],
): Statement {
  return {
    text: `insert into datapoints (tenant_id, metric_id, ts, value, version)
     select $1, ($2::uuid[])[d.metric + 1], ${TO_INSTANT('d.ts')}, d.value, d.version
     from unnest($3::int4[], $4::int8[], $5::float8[], $6::int8[]) as d (metric, ts, value, version)`,
    values: [tenantId, ...[metricIds, metric, ts, value, version].map(arrayText)],
  }
}

/** The same for rows of which some may be there: the one with the higher version stays. */
export function upsertDatapoints(...rows: Parameters<typeof insertDatapoints>): Statement {
  const { text, values } = insertDatapoints(...rows)
  return {
    text: `${text}
     on conflict (tenant_id, metric_id, ts) do update set value = excluded.value, version = excluded.version
     where (excluded.version, excluded.value) > (datapoints.version, datapoints.value)`,
    values,
  }
}

export function insertBatches(tenantId: string, batches: LoadedBatch[], persistedAt: number): Statement {
  return {
    text: `insert into batches (tenant_id, batch_id, r2_key, status, datapoints, rejected, received_at, persisted_at)
     select $1, b.batch_id, b.r2_key, 'persisted', b.datapoints, b.rejected, ${TO_INSTANT('b.received')},
       ${TO_INSTANT('$2::int8')}
     from unnest($3::text[], $4::text[], $5::int4[], $6::int4[], $7::int8[])
       as b (batch_id, r2_key, datapoints, rejected, received) order by b.batch_id
     on conflict (tenant_id, batch_id) do update
       set status = excluded.status, datapoints = excluded.datapoints, rejected = excluded.rejected,
         received_at = excluded.received_at, persisted_at = excluded.persisted_at, error = null
     where batches.status = 'failed'`,
    values: [
      tenantId,
      persistedAt,
      batches.map(({ batchId }) => batchId),
      batches.map(({ r2Key }) => r2Key),
      batches.map(({ columns }) => columns.ts.length),
      batches.map(({ rejected }) => rejected),
      batches.map(({ receivedAt }) => receivedAt),
    ],
  }
}

/** These metrics have windows to score. The revision tells a scorer that more came while it worked. */
export function markDue(tenantId: string, metricIds: string[]): Statement {
  return {
    text: `insert into due_metrics (tenant_id, metric_id)
     select $1, m from (select distinct unnest($2::uuid[]) as m) as due order by m
     on conflict (tenant_id, metric_id) do update set revision = due_metrics.revision + 1`,
    values: [tenantId, arrayText(metricIds)],
  }
}
