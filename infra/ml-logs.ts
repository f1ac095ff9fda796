import { RemovalPolicy } from 'aws-cdk-lib'
import type { Metric } from 'aws-cdk-lib/aws-cloudwatch'
import { FilterPattern, LogGroup } from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'

const NAMESPACE = 'EdgePulse/ML'

/**
 * Where tasks write their JSON lines, and the metrics that CloudWatch reads from them: `serve` tells its backlog
 * once a minute.
 */
export class MlLogs extends Construct {
  readonly group: LogGroup
  /** Seconds that the oldest due window, or delivery, has been waiting. */
  readonly scoringAge: Metric
  readonly deliveryAge: Metric
  /** Deliveries given up since the last line. */
  readonly deliveriesFailed: Metric
  /** Datapoints whose day had no partition, and days to come that have one. */
  readonly defaultRows: Metric
  readonly daysAhead: Metric

  constructor(scope: Construct, id: string, days: number) {
    super(scope, id)
    this.group = new LogGroup(this, 'Group', { retention: days, removalPolicy: RemovalPolicy.DESTROY })
    this.scoringAge = this.#fromBacklog('scoring_seconds', 'Maximum')
    this.deliveryAge = this.#fromBacklog('delivery_seconds', 'Maximum')
    this.deliveriesFailed = this.#fromBacklog('deliveries_failed', 'Sum')
    this.defaultRows = this.#fromBacklog('default_partition_rows', 'Maximum')
    this.daysAhead = this.#fromBacklog('partition_days_ahead', 'Minimum')
  }

  #fromBacklog(field: string, statistic: 'Maximum' | 'Minimum' | 'Sum'): Metric {
    const filter = this.group.addMetricFilter(field, {
      filterPattern: FilterPattern.stringValue('$.event', '=', 'backlog'),
      metricNamespace: NAMESPACE,
      metricName: field,
      metricValue: `$.${field}`,
    })
    return filter.metric({ statistic })
  }
}
