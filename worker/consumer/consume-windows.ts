import * as v from 'valibot'
import { become, connect, ofTenant, type Sql } from '../../durable-objects/connect-database.ts'
import { log } from '../../durable-objects/log.ts'
import type { PresenceReport } from '../../durable-objects/presence-frames.ts'
import { decodeFlush, type FlushContent, type FlushedWindow } from '../../durable-objects/window-frames.ts'
import type { BatchRows } from '../../telemetry/batch-rows.ts'
import { markDue, type Statement, upsertMetrics } from '../../telemetry/batch-statements.ts'
import { measure } from '../../telemetry/metric-point.ts'
import { deviceIdOf, metricIdOf } from '../../telemetry/series-id.ts'
import { insertNewDevices, insertWindows, markUnsettled, upsertUsage } from './consumer-sql.ts'
import { upsertDevicePresence, upsertShardPresence } from './presence-sql.ts'
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

/** Devices before metrics before what refers to them, as all who write them. */
function statements(sql: Sql, tenantId: string, shard: number, { windows, usage, presence }: FlushContent) {
  const run = ({ text, values }: Statement) => sql.query(text, values)
  const { devices, metrics } = seriesRows(tenantId, windows)
  const metricIds = windows.map(({ name }) => metricIdOf(tenantId, name.device, name.metric))
  const ofWindows = () => [
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
  ]
  const named = withReported(tenantId, devices, presence)
  return [
    ...(named.id.length > 0 ? [insertNewDevices(sql, tenantId, named)] : []),
    ...(windows.length > 0 ? ofWindows() : []),
    ...(usage.length > 0 ? [upsertUsage(sql, tenantId, shard, usage)] : []),
    ...(presence ? presenceStatements(sql, tenantId, shard, presence) : []),
  ]
}

function presenceStatements(sql: Sql, tenantId: string, shard: number, presence: PresenceReport) {
  const { devices } = presence
  return [
    ...(devices.length > 0 ? [upsertDevicePresence(sql, tenantId, shard, devices)] : []),
    upsertShardPresence(sql, tenantId, shard, presence),
  ]
}

/** A device may be reported before its first batch is stored. */
function withReported(
  tenantId: string,
  { id, externalId, lastSeenMs }: BatchRows['devices'],
  presence: PresenceReport | undefined,
): BatchRows['devices'] {
  const known = new Set(externalId)
  const reported = presence?.devices.filter(({ name }) => !known.has(name)) ?? []
  return {
    id: [...id, ...reported.map(({ name }) => deviceIdOf(tenantId, name))],
    externalId: [...externalId, ...reported.map(({ name }) => name)],
    lastSeenMs: [...lastSeenMs, ...reported.map(({ lastArrivalMs }) => lastArrivalMs)],
  }
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
