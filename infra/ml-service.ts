import { Duration } from 'aws-cdk-lib'
import { AdjustmentType } from 'aws-cdk-lib/aws-applicationautoscaling'
import type { IMetric } from 'aws-cdk-lib/aws-cloudwatch'
import { type ISecurityGroup, SubnetType } from 'aws-cdk-lib/aws-ec2'
import { FargateService, type HealthCheck, type ICluster } from 'aws-cdk-lib/aws-ecs'
import { Construct } from 'constructs'
import type { MlTask } from './ml-task.ts'

export interface MlServiceProps {
  cluster: ICluster
  task: MlTask
  securityGroup: ISecurityGroup
  min: number
  max: number
  /** Seconds that the oldest due work has been waiting. */
  workAge: IMetric
}

const ASK =
  'fetch("http://127.0.0.1:8788/healthz").then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))'

/** That the process answers: not that Postgres does, for a new task would not find it either. */
export const HEALTH_CHECK: HealthCheck = {
  command: ['CMD', 'node', '-e', ASK],
  interval: Duration.seconds(30),
  timeout: Duration.seconds(5),
  startPeriod: Duration.seconds(15),
  retries: 3,
}

/** `serve` for good: scores and delivers what becomes due. As due work gets older more tasks share it. */
export class MlService extends Construct {
  constructor(scope: Construct, id: string, props: MlServiceProps) {
    super(scope, id)
    const service = new FargateService(this, 'Service', {
      cluster: props.cluster,
      taskDefinition: props.task.definition,
      desiredCount: props.min,
      assignPublicIp: true,
      vpcSubnets: { subnetType: SubnetType.PUBLIC },
      securityGroups: [props.securityGroup],
      // The new tasks come before the old ones go: two of one kind share the work.
      minHealthyPercent: 100,
      maxHealthyPercent: 200,
      circuitBreaker: { rollback: true },
    })
    const scaling = service.autoScaleTaskCount({ minCapacity: props.min, maxCapacity: props.max })
    scaling.scaleOnMetric('WorkAge', {
      metric: props.workAge,
      adjustmentType: AdjustmentType.CHANGE_IN_CAPACITY,
      scalingSteps: [
        { upper: 60, change: -1 },
        { lower: 300, change: +1 },
        { lower: 900, change: +2 },
      ],
      cooldown: Duration.minutes(5),
      evaluationPeriods: 3,
    })
  }
}
