import type { Context } from 'hono'
import { measure } from '../../telemetry/metric-point.ts'
import type { AppEnv } from '../app-env.ts'
import { log } from '../log.ts'
import { Problem } from '../problem.ts'
import type { Accepted } from './accept-batch.ts'

/** What is known of a request before its batch is. */
export interface Sent {
  tenantId: string
  startedAt: number
  /** On the wire; 0 while the body has not been read. */
  bytes: number
}

/** Tells of a batch that was answered with success: a line of the log and a measurement. */
export function reportAccepted(c: Context<AppEnv>, sent: Sent, { batchId, reply }: Accepted): void {
  const { tenantId, bytes } = sent
  const { outcome, figures } = reply
  const counts = { datapoints: figures.datapoints, rejected: figures.rejected.length }
  log('info', 'ingest', { tenant_id: tenantId, batch_id: batchId, status: outcome, ...counts })
  const durationMs = Date.now() - sent.startedAt
  measure(c.env.METRICS, {
    ...{ kind: 'ingest', tenantId, outcome, detail: c.req.path, batches: 1, ...counts, bytes, durationMs },
  })
}

/** Tells of one that was refused. */
export function reportRefused(c: Context<AppEnv>, sent: Sent, error: unknown): void {
  const { tenantId, bytes, startedAt } = sent
  const outcome = error instanceof Problem ? error.code : 'internal_error'
  const durationMs = Date.now() - startedAt
  measure(c.env.METRICS, {
    ...{ kind: 'ingest', tenantId, outcome, detail: c.req.path, batches: 1, bytes, durationMs },
  })
}
