import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { DeliverSummary } from '../webhooks/deliver-due.ts'

/** What Postgres tells; undefined while it does not answer. */
export interface Backlog {
  /** How long the oldest work has been waiting. */
  scoringSeconds: number
  deliverySeconds: number
  /** Datapoints whose day had no partition, counted to 100,000. */
  defaultRows: number
  /** Whole days to come that have a partition. */
  daysAhead: number
}

const OUTCOMES = ['delivered', 'retrying', 'failed'] as const satisfies (keyof DeliverSummary)[]

/** From a chunk of one metric to the most that one transaction takes. */
const SCORE_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
/** Receivers have 15 s. */
const ATTEMPT_SECONDS = [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15]

/** What a service process tells of itself in Prometheus' format; see docs/observability.md. */
export interface ServiceMetrics {
  onScored(windows: number): void
  /** A chunk of one tenant's metrics was scored, in one transaction. */
  onChunk(tookMs: number): void
  onScoringFailures(metrics: number): void
  onAttempt(outcome: keyof DeliverSummary, tookMs: number): void
  /** Deliveries given up since the start. */
  deliveriesFailed(): Promise<number>
  text(backlog: Backlog | undefined): Promise<string>
}

/** Makes the service's metrics in `registry`, which then belongs to them. */
export function serviceMetrics(registry: Registry): ServiceMetrics {
  const registers = [registry]
  const windowsScored = new Counter({
    ...{ registers, name: 'edgepulse_ml_windows_scored_total', help: 'Windows scored for the first time.' },
  })
  const scoringFailures = new Counter({
    ...{ registers, name: 'edgepulse_ml_scoring_failures_total', help: 'Metrics whose scoring failed.' },
  })
  const scoreSeconds = new Histogram({
    ...{ registers, name: 'edgepulse_ml_score_duration_seconds', buckets: SCORE_SECONDS },
    help: 'From claiming a chunk of due metrics to its commit.',
  })
  const deliveries = new Counter({
    ...{ registers, name: 'edgepulse_ml_deliveries_total', help: 'Webhook attempts by outcome.' },
    labelNames: ['outcome'],
  })
  const attemptSeconds = new Histogram({
    ...{ registers, name: 'edgepulse_ml_delivery_attempt_seconds', buckets: ATTEMPT_SECONDS },
    help: 'Time that receivers took to answer.',
  })
  // An outcome that has not happened yet is 0, not absent: rates and alerts need the first step.
  for (const outcome of OUTCOMES) deliveries.inc({ outcome }, 0)
  const tellBacklog = backlogGauges(registers)
  return {
    onScored: (windows) => windowsScored.inc(windows),
    onChunk: (tookMs) => scoreSeconds.observe(tookMs / 1000),
    onScoringFailures: (metrics) => scoringFailures.inc(metrics),
    onAttempt: (outcome, tookMs) => {
      deliveries.inc({ outcome })
      attemptSeconds.observe(tookMs / 1000)
    },
    deliveriesFailed: async () => {
      const { values } = await deliveries.get()
      return values.find(({ labels }) => labels['outcome'] === 'failed')?.value ?? 0
    },
    text: (backlog) => {
      tellBacklog(backlog)
      return registry.metrics()
    },
  }
}

/** Gauges of what Postgres knows. While it does not answer they are absent: an old value would look like calm. */
function backlogGauges(registers: Registry[]): (backlog: Backlog | undefined) => void {
  const databaseUp = new Gauge({
    ...{ registers, name: 'edgepulse_ml_database_up', help: 'Whether Postgres answered.' },
  })
  const oldestDue = new Gauge({
    ...{ registers, name: 'edgepulse_ml_oldest_due_seconds', help: 'How long the oldest work has been due.' },
    labelNames: ['work'],
  })
  const defaultRows = new Gauge({
    ...{ registers, name: 'edgepulse_ml_default_partition_rows' },
    help: 'Datapoints outside daily partitions, to 100000.',
  })
  const daysAhead = new Gauge({
    ...{ registers, name: 'edgepulse_ml_partition_days_ahead', help: 'Days to come that have a partition.' },
  })
  return (backlog) => {
    databaseUp.set(backlog ? 1 : 0)
    if (backlog === undefined) {
      oldestDue.reset()
      for (const gauge of [defaultRows, daysAhead]) gauge.remove()
      return
    }
    oldestDue.set({ work: 'score' }, backlog.scoringSeconds)
    oldestDue.set({ work: 'deliver' }, backlog.deliverySeconds)
    defaultRows.set(backlog.defaultRows)
    daysAhead.set(backlog.daysAhead)
  }
}
