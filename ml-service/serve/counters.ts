/** What a service process counts since its start. */
export interface Counters {
  windowsScored: number
  scoringFailures: number
  deliveries: Record<'delivered' | 'retrying' | 'failed', number>
}

export const newCounters = (): Counters => ({
  windowsScored: 0,
  scoringFailures: 0,
  deliveries: { delivered: 0, retrying: 0, failed: 0 },
})

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

/** The counters in Prometheus' text format, version 0.0.4. */
export function prometheusText(counters: Counters, backlog: Backlog | undefined): string {
  const lines = [
    ...metric('edgepulse_ml_windows_scored_total', 'counter', 'Windows scored for the first time.', [
      ['', counters.windowsScored],
    ]),
    ...metric('edgepulse_ml_scoring_failures_total', 'counter', 'Metrics whose scoring failed.', [
      ['', counters.scoringFailures],
    ]),
    ...metric(
      'edgepulse_ml_deliveries_total',
      'counter',
      'Webhook attempts by outcome.',
      Object.entries(counters.deliveries).map(([outcome, value]) => [`{outcome="${outcome}"}`, value]),
    ),
    ...metric('edgepulse_ml_database_up', 'gauge', 'Whether Postgres answered.', [['', backlog ? 1 : 0]]),
  ]
  if (backlog) {
    lines.push(
      ...metric('edgepulse_ml_oldest_due_seconds', 'gauge', 'How long the oldest work has been due.', [
        ['{work="score"}', backlog.scoringSeconds],
        ['{work="deliver"}', backlog.deliverySeconds],
      ]),
      ...metric(
        'edgepulse_ml_default_partition_rows',
        'gauge',
        'Datapoints outside daily partitions, to 100000.',
        [['', backlog.defaultRows]],
      ),
      ...metric('edgepulse_ml_partition_days_ahead', 'gauge', 'Days to come that have a partition.', [
        ['', backlog.daysAhead],
      ]),
    )
  }
  return `${lines.join('\n')}\n`
}

function metric(
  name: string,
  type: 'counter' | 'gauge',
  help: string,
  samples: [string, number][],
): string[] {
  return [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type}`,
    ...samples.map(([labels, value]) => `${name}${labels} ${value}`),
  ]
}
