import type { Sql } from '../../durable-objects/connect-database.ts'
import { type BatchRows, batchRows } from './batch-rows.ts'
import { insertBatches, insertDatapoints, upsertDevices, upsertMetrics } from './consumer-sql.ts'
import type { LoadedBatch } from './load-batch.ts'
import { type Portion, portionsOf, type Slice } from './portions.ts'
import { persist } from './settle-failure.ts'

/**
 * Writes batches of one tenant, in one transaction unless they are too large for it. The rows of `batches` come
 * last: a batch that has one is complete, and one cut off before is written again to the same effect.
 */
export async function storeBatches(
  sql: Sql,
  tenantId: string,
  batches: LoadedBatch[],
  persistedAt: number,
): Promise<void> {
  const rows = batchRows(tenantId, batches)
  const portions = portionsOf(rows)
  for (const [i, portion] of portions.entries()) {
    const statements = statementsOf(sql, tenantId, rows, portion)
    if (i === portions.length - 1) statements.push(insertBatches(sql, tenantId, batches, persistedAt))
    await persist(() => sql.transaction(statements))
  }
}

function statementsOf(sql: Sql, tenantId: string, rows: BatchRows, portion: Portion) {
  const { devices, metrics, datapoints } = portion
  return [
    ...(isEmpty(devices) ? [] : [upsertDevices(sql, tenantId, sliceDevices(rows, devices))]),
    ...(isEmpty(metrics) ? [] : [upsertMetrics(sql, tenantId, sliceMetrics(rows, metrics))]),
    ...(isEmpty(datapoints) ? [] : [insertDatapoints(sql, tenantId, ...datapointsOf(rows, datapoints))]),
  ]
}

const isEmpty = ({ from, to }: Slice) => from === to

/** Datapoints with the ids of their metrics alone: they are ordered by metric, so these stand in a row. */
function datapointsOf({ metrics, datapoints }: BatchRows, { from, to }: Slice) {
  const first = datapoints.metric[from]!
  const last = datapoints.metric[to - 1]!
  const columns = {
    metric: datapoints.metric.subarray(from, to).map((metric) => metric - first),
    ts: datapoints.ts.subarray(from, to),
    value: datapoints.value.subarray(from, to),
    version: datapoints.version.subarray(from, to),
  }
  return [metrics.id.slice(first, last + 1), columns] as const
}

function sliceDevices({ devices }: BatchRows, { from, to }: Slice): BatchRows['devices'] {
  return {
    id: devices.id.slice(from, to),
    externalId: devices.externalId.slice(from, to),
    lastSeenMs: devices.lastSeenMs.slice(from, to),
  }
}

function sliceMetrics({ metrics }: BatchRows, { from, to }: Slice): BatchRows['metrics'] {
  return {
    id: metrics.id.slice(from, to),
    deviceId: metrics.deviceId.slice(from, to),
    name: metrics.name.slice(from, to),
    unit: metrics.unit.slice(from, to),
    lastMs: metrics.lastMs.slice(from, to),
  }
}
