import { createHash } from 'node:crypto'
import type { Columns, SeriesName } from './columns.ts'
import { deviceIdOf, metricIdOf } from './series-id.ts'
import { type UnitRecord, withUnit } from './unit-record.ts'
import { windowStartOf } from './window.ts'

/** A batch as its 202 counted it, ready to be stored. */
export interface LoadedBatch {
  batchId: string
  r2Key: string
  shard: number
  receivedAt: number
  rejected: number
  columns: Columns
  /** W3C trace-id of the request that brought it, where it is known. */
  traceId?: string | null
}

/**
 * Columns of the rows that a group of batches becomes; each device, metric and datapoint once, all in the order
 * of their keys. Concurrent writers then lock in the same order, whatever that of the batches.
 */
export interface BatchRows {
  devices: { id: string[]; externalId: string[]; lastSeenMs: number[] }
  metrics: {
    id: string[]
    deviceId: string[]
    name: string[]
    /** undefined: no batch named one. */
    unit: (UnitRecord | undefined)[]
    lastMs: number[]
  }
  /** `metric` is an index into `metrics.id`. */
  datapoints: { metric: Int32Array; ts: Float64Array; value: Float64Array; version: Float64Array }
  /** Windows of which several of the batches bring the same timestamp, each once. */
  repeated: { metric: number[]; windowStart: number[] }
}

/**
 * Orders corrections: of two batches the one received later wins, ties go by the batch_id. Milliseconds × 1024
 * and ten bits of hash: exact in a double until the year 2248.
 */
export function versionOf(receivedAt: number, batchId: string): number {
  return receivedAt * 1024 + (createHash('sha256').update(batchId).digest().readUInt16BE(0) >> 6)
}

/** O(datapoints) where of each metric one batch follows the other in time, else O(datapoints · log datapoints). */
export function batchRows(tenantId: string, batches: LoadedBatch[]): BatchRows {
  const devices = new Map<string, Device>()
  for (const batch of batches) addBatch(devices, tenantId, batch)
  const deviceRows = [...devices].sort(([, a], [, b]) => (a.id < b.id ? -1 : 1))
  const metricRows = deviceRows
    .flatMap(([, device]) =>
      [...device.metrics].map(([name, metric]) => ({ deviceId: device.id, name, metric })),
    )
    .sort((a, b) => (a.metric.id < b.metric.id ? -1 : 1))
  return {
    devices: {
      id: deviceRows.map(([, { id }]) => id),
      externalId: deviceRows.map(([name]) => name),
      lastSeenMs: deviceRows.map(([, { lastSeenMs }]) => lastSeenMs),
    },
    metrics: {
      id: metricRows.map(({ metric }) => metric.id),
      deviceId: metricRows.map(({ deviceId }) => deviceId),
      name: metricRows.map(({ name }) => name),
      unit: metricRows.map(({ metric }) => metric.unit),
      lastMs: metricRows.map(({ metric }) => metric.lastMs),
    },
    ...datapointRows(metricRows.map(({ metric }) => metric.runs)),
  }
}

interface Device {
  id: string
  lastSeenMs: number
  /** By name. */
  metrics: Map<string, Metric>
}

interface Metric {
  id: string
  unit: UnitRecord | undefined
  lastMs: number
  runs: Run[]
}

/** What one batch holds of one metric: ascending in time, without repeats. */
interface Run {
  ts: Float64Array
  values: Float64Array
  version: number
}

function addBatch(devices: Map<string, Device>, tenantId: string, batch: LoadedBatch): void {
  const { columns, receivedAt, batchId } = batch
  const version = versionOf(receivedAt, batchId)
  columns.series.forEach((name, s) => {
    const device = devices.get(name.device) ?? newDevice(tenantId, name.device)
    devices.set(name.device, device)
    device.lastSeenMs = Math.max(device.lastSeenMs, receivedAt)
    const metric = device.metrics.get(name.metric) ?? newMetric(tenantId, name)
    device.metrics.set(name.metric, metric)
    if (name.unit !== null) metric.unit = withUnit(metric.unit, { unit: name.unit, version })
    const [from, to] = [columns.offsets[s]!, columns.offsets[s + 1]!]
    metric.lastMs = Math.max(metric.lastMs, columns.ts[to - 1]!)
    metric.runs.push({
      ts: columns.ts.subarray(from, to),
      values: columns.values.subarray(from, to),
      version,
    })
  })
}

const newDevice = (tenantId: string, name: string): Device => ({
  ...{ id: deviceIdOf(tenantId, name), lastSeenMs: 0, metrics: new Map() },
})

const newMetric = (tenantId: string, { device, metric }: SeriesName): Metric => ({
  ...{
    id: metricIdOf(tenantId, device, metric),
    unit: undefined,
    lastMs: Number.NEGATIVE_INFINITY,
    runs: [],
  },
})

/** `runsOf[m]` are those of metric `m`. */
function datapointRows(runsOf: Run[][]): Pick<BatchRows, 'datapoints' | 'repeated'> {
  const total = runsOf.reduce((sum, runs) => sum + lengthOf(runs), 0)
  const rows = {
    ...{ metric: new Int32Array(total), ts: new Float64Array(total) },
    ...{ value: new Float64Array(total), version: new Float64Array(total) },
  }
  const repeated: BatchRows['repeated'] = { metric: [], windowStart: [] }
  let length = 0
  for (const [m, runs] of runsOf.entries()) {
    runs.sort((a, b) => a.ts[0]! - b.ts[0]!)
    const { disjoint, windows } = isAscending(runs) ? { disjoint: runs, windows: [] } : merged(runs)
    for (const { ts, values, version } of disjoint) {
      rows.metric.fill(m, length, length + ts.length)
      rows.ts.set(ts, length)
      rows.value.set(values, length)
      rows.version.fill(version, length, length + ts.length)
      length += ts.length
    }
    for (const windowStart of windows) {
      repeated.metric.push(m)
      repeated.windowStart.push(windowStart)
    }
  }
  const { metric, ts, value, version } = rows
  const used = { metric: metric.subarray(0, length), ts: ts.subarray(0, length) }
  return {
    datapoints: { ...used, value: value.subarray(0, length), version: version.subarray(0, length) },
    repeated,
  }
}

const lengthOf = (runs: Run[]) => runs.reduce((sum, { ts }) => sum + ts.length, 0)

/** Whether each run begins after the one before has ended. */
const isAscending = (runs: Run[]) => runs.every(({ ts }, i) => i === 0 || ts[0]! > runs[i - 1]!.ts.at(-1)!)

/**
 * One statement may not touch a row twice (SQLSTATE 21000), so repeats are reduced to the highest version. Also
 * returns the windows that have any.
 */
function merged(runs: Run[]): { disjoint: Run[]; windows: number[] } {
  const all = runs
    .flatMap(({ ts, values, version }) => Array.from(ts, (t, i) => ({ ts: t, value: values[i]!, version })))
    .sort((a, b) => a.ts - b.ts || a.version - b.version || a.value - b.value)
  const isRepeated = (i: number) => all[i + 1]?.ts === all[i]!.ts
  const last = all.filter((_, i) => !isRepeated(i))
  const windows = new Set(all.filter((_, i) => isRepeated(i)).map(({ ts }) => windowStartOf(ts)))
  const disjoint = last.map(({ ts, value, version }) => {
    return { ts: Float64Array.of(ts), values: Float64Array.of(value), version }
  })
  return { disjoint, windows: [...windows] }
}
