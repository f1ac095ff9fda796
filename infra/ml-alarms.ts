import { Duration } from 'aws-cdk-lib'
import { Alarm, ComparisonOperator, type Metric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import type { ICluster } from 'aws-cdk-lib/aws-ecs'
import { Rule } from 'aws-cdk-lib/aws-events'
import { SqsQueue } from 'aws-cdk-lib/aws-events-targets'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions'
import type { Queue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import type { MlLogs } from './ml-logs.ts'
import type { MlSettings } from './ml-settings.ts'

export interface MlAlarmsProps {
  settings: MlSettings
  logs: MlLogs
  cluster: ICluster
  /** Starts that never succeeded. */
  notStarted: Queue
  /** Takes tasks that ended with an error; they stay for the operator to look at. */
  crashed: Queue
}

/** The retention makes 14, every day. */
const LEAST_DAYS_AHEAD = 7

interface Watch {
  /** A heading of docs/runbook.md. */
  runbook: string
  metric: Metric
  above?: number
  below?: number
  /** Of five minutes. */
  periods: number
  /** Silence of a service that should speak is a reason, too. */
  missing: TreatMissingData
}

/** What an operator is woken for. Each alarm names the heading of the runbook that says what to do. */
export class MlAlarms extends Construct {
  constructor(scope: Construct, id: string, props: MlAlarmsProps) {
    super(scope, id)
    const action = new SnsAction(this.#topic(props.settings.alarmEmail))
    this.#collectCrashes(props)
    for (const [name, watch] of Object.entries(watches(props))) {
      const alarm = new Alarm(this, name, {
        alarmDescription: `docs/runbook.md, "${watch.runbook}"`,
        metric: watch.metric,
        ...thresholdOf(watch),
        evaluationPeriods: watch.periods,
        treatMissingData: watch.missing,
      })
      alarm.addAlarmAction(action)
      alarm.addOkAction(action)
    }
  }

  #topic(email: string | undefined): Topic {
    const topic = new Topic(this, 'Topic', { enforceSSL: true })
    if (email !== undefined) topic.addSubscription(new EmailSubscription(email))
    return topic
  }

  /** A container that ended by itself with an error; a stop from outside (a deployment, Spot) exits with 0. */
  #collectCrashes({ cluster, crashed }: MlAlarmsProps): void {
    new Rule(this, 'Crashes', {
      eventPattern: {
        source: ['aws.ecs'],
        detailType: ['ECS Task State Change'],
        detail: {
          clusterArn: [cluster.clusterArn],
          lastStatus: ['STOPPED'],
          containers: { exitCode: [{ 'anything-but': 0 }] },
        },
      },
      targets: [new SqsQueue(crashed)],
    })
  }
}

function thresholdOf({ above, below }: Watch) {
  const { GREATER_THAN_THRESHOLD, LESS_THAN_THRESHOLD } = ComparisonOperator
  return below === undefined
    ? { threshold: above ?? 0, comparisonOperator: GREATER_THAN_THRESHOLD }
    : { threshold: below, comparisonOperator: LESS_THAN_THRESHOLD }
}

function watches({ settings, logs, notStarted, crashed }: MlAlarmsProps): Record<string, Watch> {
  const period = Duration.minutes(5)
  const spoken = settings.serviceTasksMin > 0 ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING
  const calm = { periods: 1, missing: TreatMissingData.NOT_BREACHING }
  return {
    Unscored: {
      ...{ runbook: 'Windows are not scored', metric: logs.scoringAge.with({ period }), periods: 3 },
      ...{ above: settings.unscoredAlarmMinutes * 60, missing: spoken },
    },
    Undelivered: {
      ...{ runbook: 'Webhooks are late', metric: logs.deliveryAge.with({ period }), periods: 3 },
      ...{ above: 600, missing: TreatMissingData.NOT_BREACHING },
    },
    DeliveriesFailed: {
      ...{ runbook: 'Deliveries fail for good', metric: logs.deliveriesFailed.with({ period }) },
      ...{ above: 0, ...calm },
    },
    DefaultFilled: {
      ...{ runbook: 'Datapoints lie in the default partition', metric: logs.defaultRows.with({ period }) },
      ...{ above: 0, periods: 3, missing: TreatMissingData.NOT_BREACHING },
    },
    DaysEnding: {
      ...{ runbook: 'Days to come run out', metric: logs.daysAhead.with({ period }) },
      ...{ below: LEAST_DAYS_AHEAD, periods: 3, missing: TreatMissingData.NOT_BREACHING },
    },
    NotStarted: {
      ...{ runbook: 'A schedule did not start its task' },
      ...{ metric: notStarted.metricApproximateNumberOfMessagesVisible({ period }), above: 0, ...calm },
    },
    Crashed: {
      ...{ runbook: 'A task ended with an error' },
      ...{ metric: crashed.metricApproximateNumberOfMessagesVisible({ period }), above: 0, ...calm },
    },
  }
}
