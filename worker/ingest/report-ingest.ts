import type { Context } from 'hono'
import { log } from '../../durable-objects/log.ts'
import { isSampled } from '../../telemetry/log-line.ts'
import { measure } from '../../telemetry/metric-point.ts'
import type { AppEnv } from '../app-env.ts'
import { Problem } from '../problem.ts'
import type { Accepted } from './accept-batch.ts'

/** What is known of a request before its batch is. */
export interface Sent {
  tenantId: string
  startedAt: number
  /** On the wire; 0 while the body has not been read. */
  bytes: number
}

/** Tells of a batch that was answered with success: a measurement and, where its trace is sampled, a line of the log. */
export function reportAccepted(c: Context<AppEnv>, sent: Sent, { batchId, reply }: Accepted): void {
  const { outcome, figures } = reply
  const counts = { datapoints: figures.datapoints, rejected: figures.rejected.length }
  report(c, sent, { outcome, batchId, ...counts })
}

/** Tells of one that was refused. */
export function reportRefused(c: Context<AppEnv>, sent: Sent, error: unknown): void {
  report(c, sent, { outcome: error instanceof Problem ? error.code : 'internal_error' })
}

function report(
  c: Context<AppEnv>,
  { tenantId, startedAt, bytes }: Sent,
  answer: { outcome: string; batchId?: string; datapoints?: number; rejected?: number },
): void {
  const { outcome, batchId, ...counts } = answer
  const durationMs = Date.now() - startedAt
  measure(c.env.METRICS, {
    ...{ kind: 'ingest', tenantId, outcome, detail: c.req.path, batches: 1, ...counts, bytes, durationMs },
  })
  const traceId = c.get('traceId')
  const served = batchId !== undefined
  if (served && !isSampled(traceId, Number(c.env.LOG_SAMPLE_RATE))) return
  log(served ? 'info' : 'warn', 'ingest', {
    ...{ tenant_id: tenantId, ...(served && { batch_id: batchId }), trace_id: traceId, outcome },
    ...{ path: c.req.path, bytes, ...counts, duration_ms: durationMs },
  })
}
