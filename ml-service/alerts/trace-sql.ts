import { versionOf } from '../../telemetry/batch-rows.ts'
import type { Database } from '../database.ts'

/**
 * The trace of the batch that brought the newest datapoint of a metric in `from <= ts < to`, as a uuid; undefined when
 * it is not stored yet, or its request's trace is not known. Two looks at indexes: a datapoint's version tells when its
 * batch was received.
 */
export async function selectTraceId(
  db: Database,
  { tenantId, metricId }: { tenantId: string; metricId: string },
  { from, to }: { from: number; to: number },
): Promise<string | undefined> {
  const { rows } = await db.query<{ version: number; receivedAt: number; batchId: string; traceId: string }>(
    // Materialized: a function in the condition itself would keep row-level security from using the index.
    `with newest as materialized (
       select version, to_timestamp((version / 1024) / 1000.0) as received_at
       from datapoints where tenant_id = $1 and metric_id = $2 and ts >= $3 and ts < $4
       order by ts desc limit 1)
     select newest.version::float8 as version, (newest.version / 1024)::float8 as "receivedAt",
       b.batch_id as "batchId", b.trace_id as "traceId"
     from newest join batches b on b.tenant_id = $1 and b.received_at = newest.received_at
     where b.trace_id is not null`,
    [tenantId, metricId, new Date(from), new Date(to)],
  )
  return rows.find((row) => versionOf(row.receivedAt, row.batchId) === row.version)?.traceId
}
