import * as v from 'valibot'
import { become, connect, ofTenant, type Sql } from '../../durable-objects/connect-database.ts'
import { log } from '../../durable-objects/log.ts'
import { decodeFlush, type FlushContent, type FlushedWindow } from '../../durable-objects/window-frames.ts'
import type { BatchRows } from '../../telemetry/batch-rows.ts'
import { markDue, type Statement, upsertMetrics } from '../../telemetry/batch-statements.ts'
import { measure } from '../../telemetry/metric-point.ts'
import { deviceIdOf, metricIdOf } from '../../telemetry/series-id.ts'
import { insertNewDevices, insertWindows, markUnsettled, upsertUsage } from './consumer-sql.ts'
import { isPoison, PoisonError, persist, settleFailure, settleTenantFailure } from './settle-failure.ts'

export const FlushMessage = v.object({ tenant_id: v.string(), shard: v.number(), flush_id: v.number() })
export type FlushMessage = v.InferOutput<typeof FlushMessage>

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
      await settleTenantFailure(message, error, parsed.output, env)
      const { tenant_id: tenantId, shard } = parsed.output
      const outcome = isPoison(error) ? 'failed' : 'postponed'
      measure(env.METRICS, { kind: 'windows', tenantId, outcome, detail: String(shard) })
    }
  }
}

/** A flush that the shard no longer holds was stored before: nothing to do. */
async function storeFlush(sql: Sql, { tenant_id, shard, flush_id }: FlushMessage, env: Env): Promise<void> {
  const startedAt = Date.now()
  const stub = env.TENANT_SHARD.getByName(`${tenant_id}/${shard}`)
  const bytes = await stub.flush(flush_id)
  if (bytes === undefined) return
  const content = decode(bytes)
  const transaction = statements(sql, tenant_id, shard, content)
  if (transaction.length > 0)
    await persist(() => sql.transaction([become(sql, ofTenant(tenant_id)), ...transaction]))
  await stub.acknowledgeFlush(flush_id)
  const outcome = 'persisted'
  const durationMs = Date.now() - startedAt
  const figures = { bytes: bytes.byteLength, windows: content.windows.length }
  measure(env.METRICS, {
    ...{ kind: 'windows', tenantId: tenant_id, outcome, detail: String(shard), ...figures, durationMs },
  })
  log('info', 'flush_persisted', { tenant_id, shard, flush_id, outcome, ...figures, duration_ms: durationMs })
}

function decode(bytes: ArrayBuffer): FlushContent {
  try {
    return decodeFlush(new Uint8Array(bytes))
  } catch (error) {
    throw new PoisonError('the flush cannot be read', { cause: error })
  }
}

function statements(sql: Sql, tenantId: string, shard: number, { windows, usage }: FlushContent) {
  const run = ({ text, values }: Statement) => sql.query(text, values)
  const usageRows = usage.length > 0 ? [upsertUsage(sql, tenantId, shard, usage)] : []
  if (windows.length === 0) return usageRows
  const { devices, metrics } = seriesRows(tenantId, windows)
  const metricIds = windows.map(({ name }) => metricIdOf(tenantId, name.device, name.metric))
  return [
    insertNewDevices(sql, tenantId, devices),
    run(upsertMetrics(tenantId, metrics)),
    insertWindows(sql, tenantId, shard, metricIds, windows),
    run(
      markDue(
        tenantId,
        metricIds,
        windows.map(({ windowStart }) => windowStart),
      ),
    ),
    markUnsettled(sql, tenantId, metricIds, windows),
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
      metrics.unit.push(undefined) // a window cannot tell which batch named it
      metrics.lastMs.push(lastOf(ofMetric))
    }
  }
  return { devices, metrics }
}

const lastOf = (windows: FlushedWindow[]) => windows.reduce((last, { lastTs }) => Math.max(last, lastTs), 0)
