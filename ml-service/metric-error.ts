import { messageOf } from './log.ts'

/** What is wrong with one metric, so that the others of its chunk can go on without it. */
export class MetricError extends Error {
  readonly code = 'metric_failed'
  readonly tenantId: string
  readonly metricId: string

  constructor({ tenantId, metricId }: { tenantId: string; metricId: string }, cause: unknown) {
    super(messageOf(cause), { cause })
    this.tenantId = tenantId
    this.metricId = metricId
  }
}
