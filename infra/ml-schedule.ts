import { Duration } from 'aws-cdk-lib'
import { type ISecurityGroup, SubnetType } from 'aws-cdk-lib/aws-ec2'
import type { ICluster } from 'aws-cdk-lib/aws-ecs'
import { Schedule, ScheduleExpression, ScheduleTargetInput } from 'aws-cdk-lib/aws-scheduler'
import { EcsRunFargateTask } from 'aws-cdk-lib/aws-scheduler-targets'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { MlTask } from './ml-task.ts'

export interface MlScheduleProps {
  cluster: ICluster
  task: MlTask
  securityGroup: ISecurityGroup
  /** Takes starts that never succeeded. */
  notStarted: IQueue
  /** `cron(…)` in UTC, or `rate(…)`. */
  schedule: string
  /** Tasks that share the command's work. */
  tasks: number
  spot: boolean
  /** What follows `node cli.js`. */
  command: string[]
}

/**
 * Starts tasks with one command of the ML service, again and again. A start may come twice or overlap the one
 * before: the commands are safe against both. Retries and the dead-letter queue are about starting the task
 * only; a task that starts and then fails leaves its work due for the next one.
 */
export class MlSchedule extends Construct {
  constructor(scope: Construct, id: string, props: MlScheduleProps) {
    super(scope, id)
    const { cluster, task, command, spot, tasks } = props
    const containerOverrides = [{ name: MlTask.CONTAINER, command }]
    // Where Spot has nothing to give, a start is lost until the next one: the service does the same work meanwhile.
    const onSpot = [{ capacityProvider: 'FARGATE_SPOT', weight: 1 }]
    new Schedule(this, 'Schedule', {
      description: `node cli.js ${command.join(' ')}`,
      schedule: ScheduleExpression.expression(props.schedule),
      target: new EcsRunFargateTask(cluster, {
        taskDefinition: task.definition,
        taskCount: tasks,
        input: ScheduleTargetInput.fromObject({ containerOverrides }),
        vpcSubnets: { subnetType: SubnetType.PUBLIC },
        assignPublicIp: true,
        securityGroups: [props.securityGroup],
        deadLetterQueue: props.notStarted,
        retryAttempts: 5,
        maxEventAge: Duration.minutes(30), // by then the next hour's start is near
        ...(spot && { capacityProviderStrategies: onSpot }),
      }),
    })
  }
}
