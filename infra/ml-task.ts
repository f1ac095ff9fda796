import { Duration } from 'aws-cdk-lib'
import {
  type ContainerImage,
  CpuArchitecture,
  FargateTaskDefinition,
  type HealthCheck,
  LinuxParameters,
  LogDrivers,
  OperatingSystemFamily,
  Secret,
} from 'aws-cdk-lib/aws-ecs'
import type { ILogGroup } from 'aws-cdk-lib/aws-logs'
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager'
import { Construct } from 'constructs'
import type { MlSettings } from './ml-settings.ts'
import type { ModelBucket } from './model-bucket.ts'

export interface MlTaskProps {
  image: ContainerImage
  models: ModelBucket
  /** A JSON secret with the keys SECRET_KEYS. */
  secret: ISecret
  logGroup: ILogGroup
  size: MlSettings['size']
  logSampleRate: number
  /** Keys of the secret besides SECRET_KEYS. */
  moreKeys: string[]
  /** For a service: what ECS asks of it. One-off tasks end by themselves. */
  healthCheck?: HealthCheck
}

export const SECRET_KEYS = ['DATABASE_URL', 'WEBHOOK_SECRET_KEY'] as const

/** How the ML service's container runs on Fargate. Its command is the caller's: `serve`, or one of the CLI's. */
export class MlTask extends Construct {
  static readonly CONTAINER = 'ml'
  readonly definition: FargateTaskDefinition

  constructor(scope: Construct, id: string, props: MlTaskProps) {
    super(scope, id)
    this.definition = new FargateTaskDefinition(this, 'Definition', {
      cpu: props.size.cpu,
      memoryLimitMiB: props.size.memoryMiB,
      runtimePlatform: {
        cpuArchitecture: CpuArchitecture.ARM64,
        operatingSystemFamily: OperatingSystemFamily.LINUX,
      },
    })
    this.#addContainer(props)
    props.models.bucket.grantReadWrite(this.definition.taskRole)
  }

  #addContainer(props: MlTaskProps): void {
    const { image, models, secret, moreKeys, logGroup, logSampleRate, healthCheck } = props
    this.definition.addContainer('Container', {
      containerName: MlTask.CONTAINER,
      image,
      environment: { MODEL_DIR: models.modelDir, LOG_SAMPLE_RATE: String(logSampleRate) },
      secrets: Object.fromEntries(
        [...SECRET_KEYS, ...moreKeys].map((key) => [key, Secret.fromSecretsManager(secret, key)]),
      ),
      logging: LogDrivers.awsLogs({ logGroup, streamPrefix: 'ml' }),
      readonlyRootFilesystem: true,
      // An init process passes SIGTERM on: as process 1, Node would ignore it.
      linuxParameters: new LinuxParameters(this, 'Linux', { initProcessEnabled: true }),
      stopTimeout: Duration.seconds(120), // the most that Fargate gives to finish the chunk at hand
      ...(healthCheck && { healthCheck }),
    })
  }
}
