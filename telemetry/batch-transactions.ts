import { type BatchRows, batchRows, type LoadedBatch } from './batch-rows.ts'
import {
  insertBatches,
  insertDatapoints,
  type Statement,
  upsertDevices,
  upsertMetrics,
} from './batch-statements.ts'
import { type Portion, portionsOf, type Slice } from './portions.ts'

/**
 * The transactions that store batches of one tenant, in order: one, unless they are too large for it. The rows of
 * `batches` come last: a batch that has one is complete, and one cut off before is written again to the same effect.
 */
export function* batchTransactions(
  tenantId: string,
  batches: LoadedBatch[],
  persistedAt: number,
): Generator<Statement[]> {
  const rows = batchRows(tenantId, batches)
  const portions = portionsOf(rows)
  for (const [i, portion] of portions.entries()) {
    const statements = statementsOf(tenantId, rows, portion)
    if (i === portions.length - 1) statements.push(insertBatches(tenantId, batches, persistedAt))
    yield statements
  }
}

function statementsOf(tenantId: string, rows: BatchRows, portion: Portion): Statement[] {
  const { devices, metrics, datapoints } = portion
  return [
    ...(isEmpty(devices) ? [] : [upsertDevices(tenantId, sliceDevices(rows, devices))]),
    ...(isEmpty(metrics) ? [] : [upsertMetrics(tenantId, sliceMetrics(rows, metrics))]),
    ...(isEmpty(datapoints) ? [] : [insertDatapoints(tenantId, ...datapointsOf(rows, datapoints))]),
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
