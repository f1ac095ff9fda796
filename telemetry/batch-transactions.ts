import { type BatchRows, batchRows, type LoadedBatch } from './batch-rows.ts'
import {
  insertBatches,
  insertDatapoints,
  insertMissingDatapoints,
  markCorrected,
  markRepeated,
  markSuperseded,
  replaceDatapoints,
  type Statement,
  upsertDevices,
  upsertMetrics,
} from './batch-statements.ts'
import { MAX_TRANSACTION_BYTES, type Portion, portionsOf, type Slice } from './portions.ts'
import { windowStartOf } from './window.ts'

/*
 * The transactions that store batches of one tenant, in order: one, unless they are too large for it. The rows of
 * `batches` come last: a batch that has one is complete, and one cut off before is written again to the same effect.
 * All transactions take their locks in one order (new datapoints, devices, metrics, due metrics, corrected windows,
 * datapoints that are replaced, batches), so that they wait for each other instead of deadlocking; datapoints first,
 * so that rows which others want as well stay locked for less long.
 */

/** For datapoints that are not there yet, as nearly all are; fails on one that is (SQLSTATE 23505). */
export function* newBatchTransactions(
  tenantId: string,
  batches: LoadedBatch[],
  persistedAt: number,
): Generator<Statement[]> {
  const rows = batchRows(tenantId, batches)
  const batchIds = batches.map(({ batchId }) => batchId)
  const portions = portionsOf(rows)
  for (const [i, portion] of portions.entries()) {
    const datapoints = datapointsOf(rows, portion)
    const last = i < portions.length - 1 ? [] : lastStatements(tenantId, rows, batches, persistedAt)
    yield [
      ...datapoints.map((all) => insertDatapoints(tenantId, ...all)),
      ...metadataStatements(tenantId, rows, portion),
      ...datapoints.map(([ids, columns]) => markSuperseded(tenantId, batchIds, ids, windowsOf(columns))),
      ...last,
    ]
  }
}

/** Whatever is there, for half as much again: the higher version stays, and the windows of corrections are marked. */
export function* batchTransactions(
  tenantId: string,
  batches: LoadedBatch[],
  persistedAt: number,
): Generator<Statement[]> {
  const rows = batchRows(tenantId, batches)
  const batchIds = batches.map(({ batchId }) => batchId)
  const portions = portionsOf(rows, MAX_TRANSACTION_BYTES / 3) // each datapoint is sent three times
  for (const [i, portion] of portions.entries()) {
    const datapoints = datapointsOf(rows, portion)
    const last = i < portions.length - 1 ? [] : lastStatements(tenantId, rows, batches, persistedAt)
    yield [
      ...datapoints.map((all) => insertMissingDatapoints(tenantId, ...all)),
      ...metadataStatements(tenantId, rows, portion),
      ...datapoints.map((all) => markCorrected(batchIds, tenantId, ...all)),
      ...datapoints.map(([ids, columns]) => markSuperseded(tenantId, batchIds, ids, windowsOf(columns))),
      ...datapoints.map((all) => replaceDatapoints(tenantId, ...all)),
      ...last,
    ]
  }
}

function metadataStatements(tenantId: string, rows: BatchRows, { devices, metrics }: Portion): Statement[] {
  return [
    ...(isEmpty(devices) ? [] : [upsertDevices(tenantId, sliceDevices(rows, devices))]),
    ...(isEmpty(metrics) ? [] : [upsertMetrics(tenantId, sliceMetrics(rows, metrics))]),
  ]
}

function lastStatements(
  tenantId: string,
  { metrics, repeated }: BatchRows,
  batches: LoadedBatch[],
  persistedAt: number,
): Statement[] {
  const batchIds = batches.map(({ batchId }) => batchId)
  const marks = repeated.metric.length === 0 ? [] : [markRepeated(tenantId, batchIds, metrics.id, repeated)]
  return [...marks, insertBatches(tenantId, batches, persistedAt)]
}

const isEmpty = ({ from, to }: Slice) => from === to

/** Datapoints with the ids of their metrics alone: they are ordered by metric, so these stand in a row. [] for none. */
function datapointsOf({ metrics, datapoints }: BatchRows, portion: Portion) {
  const { from, to } = portion.datapoints
  if (from === to) return []
  const first = datapoints.metric[from]!
  const last = datapoints.metric[to - 1]!
  const columns = {
    metric: datapoints.metric.subarray(from, to).map((metric) => metric - first),
    ts: datapoints.ts.subarray(from, to),
    value: datapoints.value.subarray(from, to),
    version: datapoints.version.subarray(from, to),
  }
  return [[metrics.id.slice(first, last + 1), columns] as const]
}

/** The windows of datapoints, which are ordered by metric and time. */
function windowsOf({ metric, ts }: BatchRows['datapoints']): BatchRows['repeated'] {
  const windows: BatchRows['repeated'] = { metric: [], windowStart: [] }
  for (let i = 0; i < ts.length; i += 1) {
    const windowStart = windowStartOf(ts[i]!)
    const isSame = windows.metric.at(-1) === metric[i] && windows.windowStart.at(-1) === windowStart
    if (isSame) continue
    windows.metric.push(metric[i]!)
    windows.windowStart.push(windowStart)
  }
  return windows
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
