import { CfnParameter, Duration, Stack, type StackProps } from 'aws-cdk-lib'
import { Platform } from 'aws-cdk-lib/aws-ecr-assets'
import { Cluster, ContainerImage, type ICluster } from 'aws-cdk-lib/aws-ecs'
import { Secret } from 'aws-cdk-lib/aws-secretsmanager'
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs'
import type { Construct } from 'constructs'
import { MlAlarms } from './ml-alarms.ts'
import { MlLogs } from './ml-logs.ts'
import { MlSchedule } from './ml-schedule.ts'
import { HEALTH_CHECK, MlService } from './ml-service.ts'
import type { MlSettings } from './ml-settings.ts'
import { MlTask, SECRET_KEYS } from './ml-task.ts'
import { ModelBucket } from './model-bucket.ts'
import { Network } from './network.ts'

export interface MlStackProps extends StackProps {
  /** The folder with the ML service's Dockerfile and bundle. */
  imageFolder: string
  settings: MlSettings
}

/** Everything on AWS: the ML service as a Fargate service and as scheduled tasks. Fits any account and region. */
export class MlStack extends Stack {
  constructor(scope: Construct, id: string, { imageFolder, settings, ...props }: MlStackProps) {
    super(scope, id, props)
    const { vpc, outboundOnly: securityGroup } = new Network(this, 'Network')
    // "as": see network.ts
    const cluster = new Cluster(this, 'Cluster', { vpc, enableFargateCapacityProviders: true }) as ICluster
    const logs = new MlLogs(this, 'Logs', settings.logDays)
    const about = {
      image: ContainerImage.fromAsset(imageFolder, { platform: Platform.LINUX_ARM64 }),
      models: new ModelBucket(this, 'Models'),
      secret: this.#settingsSecret(),
      ...{ logGroup: logs.group, size: settings.size, logSampleRate: settings.logSampleRate },
      moreKeys: settings.webhookKeyRotation ? ['WEBHOOK_SECRET_KEY_PREVIOUS'] : [],
    }
    const serving = new MlTask(this, 'Serving', { ...about, healthCheck: HEALTH_CHECK })
    new MlService(this, 'Service', {
      ...{ cluster, securityGroup, task: serving, workAge: logs.scoringAge },
      ...{ min: settings.serviceTasksMin, max: settings.serviceTasksMax },
    })
    const notStarted = this.#operatorQueue('NotStarted')
    const task = new MlTask(this, 'Task', about)
    const common = { cluster, task, securityGroup, notStarted, spot: settings.spot }
    new MlSchedule(this, 'Scoring', {
      ...{ ...common, schedule: settings.scoringSchedule, tasks: settings.scoringTasks },
      command: ['score', '--all'],
    })
    new MlSchedule(this, 'Training', {
      ...{ ...common, schedule: settings.trainingSchedule, tasks: settings.trainingTasks },
      command: ['train', '--all'],
    })
    new MlSchedule(this, 'Retention', {
      ...{ ...common, schedule: settings.retentionSchedule, tasks: 1 },
      command: ['retention'],
    })
    const crashed = this.#operatorQueue('Crashed')
    new MlAlarms(this, 'Alarms', { settings, logs, cluster, notStarted, crashed })
  }

  /** Holds for two weeks what an operator must look at. */
  #operatorQueue(id: string): Queue {
    return new Queue(this, id, {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
    })
  }

  /** Made by the operator beforehand, so that no deployment ever runs without it or holds its value. */
  #settingsSecret() {
    const arn = new CfnParameter(this, 'MlSettingsArn', {
      description: `Full ARN of a JSON secret with the keys ${SECRET_KEYS.join(' and ')}`,
      allowedPattern: '^arn:[^:]+:secretsmanager:[^:]+:[0-9]{12}:secret:.+-[A-Za-z0-9]{6}$',
    })
    return Secret.fromSecretCompleteArn(this, 'MlSettings', arn.valueAsString)
  }
}
