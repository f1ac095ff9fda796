import { Duration, RemovalPolicy } from 'aws-cdk-lib'
import { Platform } from 'aws-cdk-lib/aws-ecr-assets'
import {
  ContainerImage,
  CpuArchitecture,
  FargateTaskDefinition,
  LinuxParameters,
  LogDrivers,
  OperatingSystemFamily,
  Secret,
} from 'aws-cdk-lib/aws-ecs'
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs'
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager'
import { Construct } from 'constructs'
import type { ModelBucket } from './model-bucket.ts'

export interface MlTaskProps {
  /** The folder that `npm run build` makes: the Dockerfile and the bundle. */
  imageFolder: string
  models: ModelBucket
  /** A JSON secret with the keys DATABASE_URL and WEBHOOK_SECRET_KEY. */
  secret: ISecret
}

/** How the ML service's container runs on Fargate. Its command is the caller's: `serve`, or one of the CLI's. */
export class MlTask extends Construct {
  static readonly CONTAINER = 'ml'
  readonly definition: FargateTaskDefinition

  constructor(scope: Construct, id: string, props: MlTaskProps) {
    super(scope, id)
    this.definition = new FargateTaskDefinition(this, 'Definition', {
      cpu: 1024,
      memoryLimitMiB: 2048,
      runtimePlatform: {
        cpuArchitecture: CpuArchitecture.ARM64,
        operatingSystemFamily: OperatingSystemFamily.LINUX,
      },
    })
    this.#addContainer(props)
    props.models.bucket.grantReadWrite(this.definition.taskRole)
  }

  #addContainer({ imageFolder, models, secret }: MlTaskProps): void {
    const logGroup = new LogGroup(this, 'Logs', {
      retention: RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    })
    this.definition.addContainer('Container', {
      containerName: MlTask.CONTAINER,
      image: ContainerImage.fromAsset(imageFolder, { platform: Platform.LINUX_ARM64 }),
      environment: { MODEL_DIR: models.modelDir },
      secrets: {
        DATABASE_URL: Secret.fromSecretsManager(secret, 'DATABASE_URL'),
        WEBHOOK_SECRET_KEY: Secret.fromSecretsManager(secret, 'WEBHOOK_SECRET_KEY'),
      },
      logging: LogDrivers.awsLogs({ logGroup, streamPrefix: 'ml' }),
      readonlyRootFilesystem: true,
      // An init process passes SIGTERM on: as process 1, Node would ignore it.
      linuxParameters: new LinuxParameters(this, 'Linux', { initProcessEnabled: true }),
      stopTimeout: Duration.seconds(120), // the most that Fargate gives to finish the chunk at hand
    })
  }
}
