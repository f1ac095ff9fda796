import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { serviceMetrics } from './service-metrics.ts'

const BACKLOG = { scoringSeconds: 1.5, deliverySeconds: 0, defaultRows: 3, daysAhead: 14 }

/** Samples by name and labels, of a text in Prometheus' format. */
function samplesIn(text: string): Record<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.lastIndexOf(' ')
      return [line.slice(0, at), Number(line.slice(at + 1))]
    }),
  )
}

test('what has not happened yet is told as 0', async () => {
  const metrics = serviceMetrics(new Registry())
  expect(samplesIn(await metrics.text(BACKLOG))).toMatchObject({
    edgepulse_ml_windows_scored_total: 0,
    edgepulse_ml_scoring_failures_total: 0,
    'edgepulse_ml_deliveries_total{outcome="delivered"}': 0,
    'edgepulse_ml_deliveries_total{outcome="retrying"}': 0,
    'edgepulse_ml_deliveries_total{outcome="failed"}': 0,
    edgepulse_ml_score_duration_seconds_count: 0,
    edgepulse_ml_delivery_attempt_seconds_count: 0,
  })
})

test('counts add up, and durations are seconds', async () => {
  const metrics = serviceMetrics(new Registry())
  metrics.onScored(30)
  metrics.onScored(12)
  metrics.onChunk(80)
  metrics.onScoringFailures(2)
  metrics.onAttempt('delivered', 500)
  metrics.onAttempt('failed', 15_000)
  metrics.onAttempt('failed', 250)
  expect(samplesIn(await metrics.text(BACKLOG))).toMatchObject({
    edgepulse_ml_windows_scored_total: 42,
    edgepulse_ml_score_duration_seconds_sum: 0.08,
    'edgepulse_ml_score_duration_seconds_bucket{le="0.05"}': 0,
    'edgepulse_ml_score_duration_seconds_bucket{le="0.1"}': 1,
    edgepulse_ml_scoring_failures_total: 2,
    'edgepulse_ml_deliveries_total{outcome="delivered"}': 1,
    'edgepulse_ml_deliveries_total{outcome="failed"}': 2,
    edgepulse_ml_delivery_attempt_seconds_sum: 15.75,
  })
  expect(await metrics.deliveriesFailed()).toBe(2)
})

test('what Postgres knows is told while it answers, and absent, not stale, while it does not', async () => {
  const metrics = serviceMetrics(new Registry())
  expect(samplesIn(await metrics.text(BACKLOG))).toMatchObject({
    edgepulse_ml_database_up: 1,
    'edgepulse_ml_oldest_due_seconds{work="score"}': 1.5,
    'edgepulse_ml_oldest_due_seconds{work="deliver"}': 0,
    edgepulse_ml_default_partition_rows: 3,
    edgepulse_ml_partition_days_ahead: 14,
  })
  const away = samplesIn(await metrics.text(undefined))
  expect(away['edgepulse_ml_database_up']).toBe(0)
  expect(Object.keys(away).filter((name) => /oldest_due|partition/.test(name))).toEqual([])
  expect(samplesIn(await metrics.text(BACKLOG))).toMatchObject({ edgepulse_ml_partition_days_ahead: 14 })
})

test('two services in one process share nothing', async () => {
  const [one, other] = [serviceMetrics(new Registry()), serviceMetrics(new Registry())]
  one.onScored(5)
  expect(samplesIn(await other.text(BACKLOG))['edgepulse_ml_windows_scored_total']).toBe(0)
})
