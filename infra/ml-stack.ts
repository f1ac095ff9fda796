import { CfnParameter, Stack, type StackProps, TimeZone } from 'aws-cdk-lib'
import { Cluster, type ICluster } from 'aws-cdk-lib/aws-ecs'
import { ScheduleExpression } from 'aws-cdk-lib/aws-scheduler'
import { Secret } from 'aws-cdk-lib/aws-secretsmanager'
import type { Construct } from 'constructs'
import { MlSchedule } from './ml-schedule.ts'
import { MlTask } from './ml-task.ts'
import { ModelBucket } from './model-bucket.ts'
import { Network } from './network.ts'

export interface MlStackProps extends StackProps {
  /** The folder with the ML service's Dockerfile and bundle. */
  imageFolder: string
}

/** Everything on AWS: the ML service as scheduled Fargate tasks. Fits any account and region. */
export class MlStack extends Stack {
  constructor(scope: Construct, id: string, { imageFolder, ...props }: MlStackProps) {
    super(scope, id, props)
    const { vpc, outboundOnly: securityGroup } = new Network(this, 'Network')
    const cluster = new Cluster(this, 'Cluster', { vpc }) as ICluster // as in network.ts
    const models = new ModelBucket(this, 'Models')
    const task = new MlTask(this, 'Task', { imageFolder, models, secret: this.#settings() })
    new MlSchedule(this, 'Scoring', {
      ...{ cluster, task, securityGroup },
      schedule: ScheduleExpression.cron({ minute: '5', timeZone: TimeZone.ETC_UTC }),
      command: ['score', '--all'],
    })
    new MlSchedule(this, 'Retention', {
      ...{ cluster, task, securityGroup },
      schedule: ScheduleExpression.cron({ minute: '15', hour: '0', timeZone: TimeZone.ETC_UTC }),
      command: ['retention'],
    })
  }

  /** Made by the operator beforehand, so that no deployment ever runs without it or holds its value. */
  #settings() {
    const arn = new CfnParameter(this, 'MlSettingsArn', {
      description: 'Full ARN of a JSON secret with the keys DATABASE_URL and WEBHOOK_SECRET_KEY',
      allowedPattern: '^arn:[^:]+:secretsmanager:[^:]+:[0-9]{12}:secret:.+-[A-Za-z0-9]{6}$',
    })
    return Secret.fromSecretCompleteArn(this, 'MlSettings', arn.valueAsString)
  }
}
