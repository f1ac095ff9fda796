import { type BatchRows, batchRows, type LoadedBatch } from './batch-rows.ts'
import {
  insertBatches,
  insertDatapoints,
  type Statement,
  upsertDatapoints,
  upsertDevices,
  upsertMetrics,
} from './batch-statements.ts'
import { type Portion, portionsOf, type Slice } from './portions.ts'

/** What one transaction stores. */
export interface BatchTransaction {
  /**
   * For datapoints that are not there yet, as nearly all are: it costs two thirds of `careful` and fails on one that
   * is there (SQLSTATE 23505).
   */
  hopeful(): Statement[]
  /** Whatever is there. */
  careful(): Statement[]
}

/**
 * The transactions that store batches of one tenant, in order: one, unless they are too large for it. The rows of
 * `batches` come last: a batch that has one is complete, and one cut off before is written again to the same effect.
 */
export function* batchTransactions(
  tenantId: string,
  batches: LoadedBatch[],
  persistedAt: number,
): Generator<BatchTransaction> {
  const rows = batchRows(tenantId, batches)
  const portions = portionsOf(rows)
  for (const [i, portion] of portions.entries()) {
    const last = i === portions.length - 1 ? [insertBatches(tenantId, batches, persistedAt)] : []
    const statements = (storeDatapoints: typeof insertDatapoints) => [
      ...statementsOf(tenantId, rows, portion, storeDatapoints),
      ...last,
    ]
    yield { hopeful: () => statements(insertDatapoints), careful: () => statements(upsertDatapoints) }
  }
}

/** Datapoints come first, as they refer to nothing: rows that other transactions want as well stay locked for less long. */
function statementsOf(
  tenantId: string,
  rows: BatchRows,
  { devices, metrics, datapoints }: Portion,
  storeDatapoints: typeof insertDatapoints,
): Statement[] {
  return [
    ...(isEmpty(datapoints) ? [] : [storeDatapoints(tenantId, ...datapointsOf(rows, datapoints))]),
    ...(isEmpty(devices) ? [] : [upsertDevices(tenantId, sliceDevices(rows, devices))]),
    ...(isEmpty(metrics) ? [] : [upsertMetrics(tenantId, sliceMetrics(rows, metrics))]),
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
