import * as v from 'valibot'
import { connect, type Sql } from '../../durable-objects/connect-database.ts'
import { decodeFlush, type FlushContent, type FlushedWindow } from '../../durable-objects/window-frames.ts'
import { deviceIdOf, metricIdOf } from '../../telemetry/series-id.ts'
import { log } from '../log.ts'
import type { BatchRows } from './batch-rows.ts'
import { insertWindows, markDue, upsertDevices, upsertMetrics, upsertUsage } from './consumer-sql.ts'
import { PoisonError, persist, settleFailure } from './settle-failure.ts'

export const FlushMessage = v.object({ tenant_id: v.string(), shard: v.number(), flush_id: v.number() })
type FlushMessage = v.InferOutput<typeof FlushMessage>

/** Stores what shards flushed (window parts, usage), marks the metrics due for scoring, acknowledges to the shard. */
export async function consumeWindows(queueBatch: MessageBatch, env: Env): Promise<void> {
  const sql = connect(env)
  for (const message of queueBatch.messages) {
    const parsed = v.safeParse(FlushMessage, message.body)
    if (!parsed.success) {
      settleFailure(message, new PoisonError('not a message of ours'), {})
      continue
    }
    try {
      await storeFlush(sql, parsed.output, env)
      message.ack()
    } catch (error) {
      settleFailure(message, error, parsed.output)
    }
  }
}

/** A flush that the shard no longer holds was stored before: nothing to do. */
async function storeFlush(sql: Sql, { tenant_id, shard, flush_id }: FlushMessage, env: Env): Promise<void> {
  const stub = env.TENANT_SHARD.getByName(`${tenant_id}/${shard}`)
  const bytes = await stub.flush(flush_id)
  if (bytes === undefined) return
  const content = decodeFlush(new Uint8Array(bytes))
  await persist(sql.transaction(statements(sql, tenant_id, shard, content)))
  await stub.acknowledgeFlush(flush_id)
  log('info', 'flush_persisted', { tenant_id, shard, flush_id, windows: content.windows.length })
}

function statements(sql: Sql, tenantId: string, shard: number, { windows, usage }: FlushContent) {
  const usageRows = usage.length > 0 ? [upsertUsage(sql, tenantId, shard, usage)] : []
  if (windows.length === 0) return usageRows
  const { devices, metrics } = seriesRows(tenantId, windows)
  const metricIds = windows.map(({ name }) => metricIdOf(tenantId, name.device, name.metric))
  return [
    upsertDevices(sql, tenantId, devices),
    upsertMetrics(sql, tenantId, metrics),
    insertWindows(sql, tenantId, shard, metricIds, windows),
    markDue(sql, tenantId, metricIds),
    ...usageRows,
  ]
}

/** Windows may arrive before their batches: they bring their device and metric along. */
function seriesRows(tenantId: string, windows: FlushedWindow[]): Pick<BatchRows, 'devices' | 'metrics'> {
  const devices: BatchRows['devices'] = { id: [], externalId: [], lastSeenMs: [] }
  const metrics: BatchRows['metrics'] = { id: [], deviceId: [], name: [], unit: [], lastMs: [] }
  for (const [device, ofDevice] of Map.groupBy(windows, ({ name }) => name.device)) {
    const deviceId = deviceIdOf(tenantId, device)
    devices.id.push(deviceId)
    devices.externalId.push(device)
    devices.lastSeenMs.push(lastOf(ofDevice))
    for (const [metric, ofMetric] of Map.groupBy(ofDevice, ({ name }) => name.metric)) {
      metrics.id.push(metricIdOf(tenantId, device, metric))
      metrics.deviceId.push(deviceId)
      metrics.name.push(metric)
      metrics.unit.push(ofMetric.at(-1)!.name.unit)
      metrics.lastMs.push(lastOf(ofMetric))
    }
  }
  return { devices, metrics }
}

const lastOf = (windows: FlushedWindow[]) => windows.reduce((last, { lastTs }) => Math.max(last, lastTs), 0)
