import { Duration } from 'aws-cdk-lib'
import { type ISecurityGroup, SubnetType } from 'aws-cdk-lib/aws-ec2'
import type { ICluster } from 'aws-cdk-lib/aws-ecs'
import { Schedule, type ScheduleExpression, ScheduleTargetInput } from 'aws-cdk-lib/aws-scheduler'
import { EcsRunFargateTask } from 'aws-cdk-lib/aws-scheduler-targets'
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { MlTask } from './ml-task.ts'

export interface MlScheduleProps {
  cluster: ICluster
  task: MlTask
  securityGroup: ISecurityGroup
  schedule: ScheduleExpression
  /** What follows `node cli.js`. */
  command: string[]
}

/**
 * Starts a task with one command of the ML service, again and again. A start may come twice or overlap the one
 * before: the commands are safe against both. Retries and the dead-letter queue are about starting the task
 * only; a task that starts and then fails leaves its work due for the next one.
 */
export class MlSchedule extends Construct {
  constructor(scope: Construct, id: string, props: MlScheduleProps) {
    super(scope, id)
    const deadLetterQueue = new Queue(this, 'NotStarted', {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
    })
    const containerOverrides = [{ name: MlTask.CONTAINER, command: props.command }]
    new Schedule(this, 'Schedule', {
      description: `node cli.js ${props.command.join(' ')}`,
      schedule: props.schedule,
      target: new EcsRunFargateTask(props.cluster, {
        taskDefinition: props.task.definition,
        input: ScheduleTargetInput.fromObject({ containerOverrides }),
        vpcSubnets: { subnetType: SubnetType.PUBLIC },
        assignPublicIp: true,
        securityGroups: [props.securityGroup],
        deadLetterQueue,
        retryAttempts: 5,
        maxEventAge: Duration.minutes(30), // by then the next hour's start is near
      }),
    })
  }
}
