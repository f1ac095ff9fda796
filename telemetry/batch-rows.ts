import { createHash } from 'node:crypto'
import type { Columns } from './columns.ts'
import { deviceIdOf, metricIdOf } from './series-id.ts'
import { type UnitRecord, withUnit } from './unit-record.ts'

/** A batch as its 202 counted it, ready to be stored. */
export interface LoadedBatch {
  batchId: string
  r2Key: string
  shard: number
  receivedAt: number
  rejected: number
  columns: Columns
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
}

/**
 * Orders corrections: of two batches the one received later wins, ties go by the batch_id. Milliseconds × 1024
 * and ten bits of hash: exact in a double until the year 2248.
 */
export function versionOf(receivedAt: number, batchId: string): number {
  return receivedAt * 1024 + (createHash('sha256').update(batchId).digest().readUInt16BE(0) >> 6)
}

/** O(datapoints · log datapoints). */
export function batchRows(tenantId: string, batches: LoadedBatch[]): BatchRows {
  const devices = new Map<string, { id: string; lastSeenMs: number }>()
  const metrics = new Map<string, Metric>()
  const total = batches.reduce((sum, { columns }) => sum + columns.ts.length, 0)
  const all = new Datapoints(total)
  for (const { columns, receivedAt, batchId } of batches) {
    const version = versionOf(receivedAt, batchId)
    columns.series.forEach(({ device, metric, unit }, s) => {
      const deviceId = devices.get(device)?.id ?? deviceIdOf(tenantId, device)
      devices.set(device, {
        id: deviceId,
        lastSeenMs: Math.max(devices.get(device)?.lastSeenMs ?? 0, receivedAt),
      })
      const key = `${device}\0${metric}`
      const known = metrics.get(key) ?? newMetric(metrics.size, tenantId, device, metric, deviceId)
      metrics.set(key, known)
      if (unit !== null) known.unit = withUnit(known.unit, { unit, version })
      const to = columns.offsets[s + 1]!
      known.lastMs = Math.max(known.lastMs, columns.ts[to - 1]!)
      for (let i = columns.offsets[s]!; i < to; i += 1)
        all.add(known.index, columns.ts[i]!, columns.values[i]!, version)
    })
  }
  const deviceRows = [...devices].sort(([, a], [, b]) => (a.id < b.id ? -1 : 1))
  const metricRows = [...metrics.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
  const rank = new Int32Array(metricRows.length)
  metricRows.forEach(({ index }, at) => {
    rank[index] = at
  })
  return {
    devices: {
      id: deviceRows.map(([, { id }]) => id),
      externalId: deviceRows.map(([name]) => name),
      lastSeenMs: deviceRows.map(([, { lastSeenMs }]) => lastSeenMs),
    },
    metrics: {
      id: metricRows.map(({ id }) => id),
      deviceId: metricRows.map(({ deviceId }) => deviceId),
      name: metricRows.map(({ name }) => name),
      unit: metricRows.map(({ unit }) => unit),
      lastMs: metricRows.map(({ lastMs }) => lastMs),
    },
    datapoints: all.reduced(rank),
  }
}

interface Metric {
  index: number
  id: string
  deviceId: string
  name: string
  unit: UnitRecord | undefined
  lastMs: number
}

function newMetric(index: number, tenantId: string, device: string, name: string, deviceId: string): Metric {
  const id = metricIdOf(tenantId, device, name)
  return { index, id, deviceId, name, unit: undefined, lastMs: Number.NEGATIVE_INFINITY }
}

/** One statement may not touch a row twice (SQLSTATE 21000), so repeats are reduced to the highest version first. */
class Datapoints {
  readonly #columns: BatchRows['datapoints']
  #length = 0

  constructor(capacity: number) {
    this.#columns = {
      metric: new Int32Array(capacity),
      ts: new Float64Array(capacity),
      value: new Float64Array(capacity),
      version: new Float64Array(capacity),
    }
  }

  add(metric: number, ts: number, value: number, version: number): void {
    const { columns, at } = { columns: this.#columns, at: this.#length }
    columns.metric[at] = metric
    columns.ts[at] = ts
    columns.value[at] = value
    columns.version[at] = version
    this.#length += 1
  }

  /** `rank[m]` is where metric `m` comes in the order of ids, and its index in the result. */
  reduced(rank: Int32Array): BatchRows['datapoints'] {
    const { ts, value, version } = this.#columns
    const metric = this.#columns.metric.map((m) => rank[m]!)
    const order = new Uint32Array(this.#length).map((_, i) => i)
    order.sort(
      (a, b) =>
        metric[a]! - metric[b]! || ts[a]! - ts[b]! || version[a]! - version[b]! || value[a]! - value[b]!,
    )
    const kept = order.filter((at, k) => {
      const next = order[k + 1]
      return next === undefined || metric[next] !== metric[at] || ts[next] !== ts[at]
    })
    return {
      metric: Int32Array.from(kept, (i) => metric[i]!),
      ts: Float64Array.from(kept, (i) => ts[i]!),
      value: Float64Array.from(kept, (i) => value[i]!),
      version: Float64Array.from(kept, (i) => version[i]!),
    }
  }
}
