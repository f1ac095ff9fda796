import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { App } from 'aws-cdk-lib'
import { Capture, Match, Template } from 'aws-cdk-lib/assertions'
import { expect, test } from 'vitest'
import { readMlSettings } from './ml-settings.ts'
import { MlStack } from './ml-stack.ts'

// Any folder with a Dockerfile does: the image is built at deployment, not here.
const imageFolder = fileURLToPath(new URL('../ml-service', import.meta.url))
function templateOf(context: Record<string, unknown> = {}): Template {
  const app = new App({ context })
  return Template.fromStack(new MlStack(app, 'Test', { imageFolder, settings: readMlSettings(app.node) }))
}
const template = templateOf()

const container = (properties: object) =>
  template.hasResourceProperties('AWS::ECS::TaskDefinition', {
    ContainerDefinitions: [Match.objectLike(properties)],
  })

const scoring = (target: object, of = template) =>
  of.hasResourceProperties('AWS::Scheduler::Schedule', {
    Description: 'node cli.js score --all',
    Target: Match.objectLike(target),
  })

/** Properties of the resources of a type. */
const every = (type: string, of = template) =>
  Object.values(of.findResources(type)).map(({ Properties }) => Properties)

test('the task runs on ARM64 Fargate', () => {
  template.hasResourceProperties('AWS::ECS::TaskDefinition', {
    RequiresCompatibilities: ['FARGATE'],
    RuntimePlatform: { CpuArchitecture: 'ARM64', OperatingSystemFamily: 'LINUX' },
  })
})

test('the database and the webhook key come from the secret, each by its key', () => {
  const key = (name: string) => ({
    Name: name,
    ValueFrom: { 'Fn::Join': ['', [{ Ref: 'MlSettingsArn' }, `:${name}::`]] },
  })
  container({ Secrets: [key('DATABASE_URL'), key('WEBHOOK_SECRET_KEY')] })
})

test('while webhook secrets are re-encrypted the tasks get the key before, too', () => {
  const containers = every('AWS::ECS::TaskDefinition', templateOf({ webhookKeyRotation: 'true' }))
  for (const {
    ContainerDefinitions: [only],
  } of containers) {
    expect(only.Secrets.map(({ Name }: { Name: string }) => Name)).toContain('WEBHOOK_SECRET_KEY_PREVIOUS')
  }
})

test('no secret stands in the environment in the clear', () => {
  const environment = new Capture()
  container({ Environment: environment })
  expect(environment.asArray().map(({ Name }) => Name)).toEqual(['MODEL_DIR', 'LOG_SAMPLE_RATE'])
})

test('models are kept in the bucket, which the task may read and write', () => {
  const bucket = { Ref: Match.stringLikeRegexp('^Models') }
  container({
    Environment: Match.arrayWith([
      { Name: 'MODEL_DIR', Value: { 'Fn::Join': ['', ['s3://', bucket, '/models']] } },
    ]),
  })
  template.hasResourceProperties('AWS::IAM::Policy', {
    Roles: [{ Ref: Match.stringLikeRegexp('TaskRole') }],
    PolicyDocument: {
      Statement: Match.arrayWith([
        Match.objectLike({ Action: Match.arrayWith(['s3:GetObject*', 's3:PutObject']) }),
      ]),
    },
  })
})

test('models outlive the stack and are never public', () => {
  template.hasResource('AWS::S3::Bucket', {
    DeletionPolicy: 'Retain',
    Properties: { PublicAccessBlockConfiguration: { BlockPublicAcls: true, RestrictPublicBuckets: true } },
  })
})

test('the container cannot write to its own file system', () => {
  container({ ReadonlyRootFilesystem: true })
})

test('a stop reaches the process and leaves it two minutes', () => {
  container({ LinuxParameters: Match.objectLike({ InitProcessEnabled: true }), StopTimeout: 120 })
})

test('an operator sets how many successes are logged', () => {
  const rates = every('AWS::ECS::TaskDefinition', templateOf({ logSampleRate: '0.01' })).flatMap(
    ({ ContainerDefinitions: [only] }) =>
      only.Environment.filter(({ Name }: { Name: string }) => Name === 'LOG_SAMPLE_RATE'),
  )
  expect(rates.map(({ Value }) => Value)).toEqual(['0.01', '0.01'])
})

test('logs are kept for a month', () => {
  template.hasResourceProperties('AWS::Logs::LogGroup', { RetentionInDays: 30 })
})

test.each([
  ['all due metrics are scored every hour', 'cron(5 * * * ? *)', ['score', '--all']],
  ['baselines are trained every day', 'cron(20 1 * * ? *)', ['train', '--all']],
  ['what is past its retention is dropped every day', 'cron(15 0 * * ? *)', ['retention']],
])('%s', (_, ScheduleExpression, command) => {
  template.hasResourceProperties('AWS::Scheduler::Schedule', {
    ...{ ScheduleExpression, ScheduleExpressionTimezone: 'Etc/UTC', State: 'ENABLED' },
    Target: Match.objectLike({ Input: JSON.stringify({ containerOverrides: [{ name: 'ml', command }] }) }),
  })
})

test('an operator sets schedules, tasks that share the work, their size and where they run', () => {
  const own = templateOf({
    scoringSchedule: 'rate(15 minutes)',
    scoringTasks: '4',
    spot: 'false',
    size: 'large',
  })
  own.hasResourceProperties('AWS::Scheduler::Schedule', { ScheduleExpression: 'rate(15 minutes)' })
  scoring(
    { EcsParameters: Match.objectLike({ TaskCount: 4, CapacityProviderStrategy: Match.absent() }) },
    own,
  )
  expect(every('AWS::ECS::TaskDefinition', own).map(({ Cpu, Memory }) => [Cpu, Memory])).toEqual([
    ['2048', '4096'],
    ['2048', '4096'],
  ])
})

test.each([
  [{ scoringTasks: 0 }, 'scoringTasks'],
  [{ scoringTasks: 'many' }, 'scoringTasks'],
  [{ scoringSchedule: 'hourly' }, 'scoringSchedule'],
  [{ spot: 'perhaps' }, 'spot'],
  [{ size: 'huge' }, 'size'],
  [{ logDays: 31 }, 'logDays'],
  [{ alarmEmail: 'nobody' }, 'alarmEmail'],
  [{ logSampleRate: 2 }, 'logSampleRate'],
])('the setting %j is refused by its name', (context, name) => {
  expect(() => readMlSettings(new App({ context }).node)).toThrow(new RegExp(`^${name}: `))
})

test('scheduled tasks run on Spot, the service does not', () => {
  scoring({
    EcsParameters: Match.objectLike({
      CapacityProviderStrategy: [{ CapacityProvider: 'FARGATE_SPOT', Weight: 1 }],
    }),
  })
  template.hasResourceProperties('AWS::ECS::Service', { LaunchType: 'FARGATE' })
})

test('the service is replaced without a gap, and the old one stays if the new one fails', () => {
  template.hasResourceProperties('AWS::ECS::Service', {
    DeploymentConfiguration: Match.objectLike({
      ...{ MinimumHealthyPercent: 100, MaximumPercent: 200 },
      DeploymentCircuitBreaker: { Enable: true, Rollback: true },
    }),
  })
})

test('the service is asked whether it lives; a one-off task is not', () => {
  const asked = every('AWS::ECS::TaskDefinition').map(({ ContainerDefinitions: [only] }) => only.HealthCheck)
  expect(asked.filter((check) => check !== undefined)).toHaveLength(1)
  expect(asked.find((check) => check !== undefined).Command.join(' ')).toContain('/healthz')
})

test('as due work gets older, more tasks of the service share it, up to the most that is set', () => {
  template.hasResourceProperties('AWS::ApplicationAutoScaling::ScalableTarget', {
    MinCapacity: 1,
    MaxCapacity: 4,
  })
  const steps = every('AWS::ApplicationAutoScaling::ScalingPolicy').flatMap(
    ({ StepScalingPolicyConfiguration: { StepAdjustments } }) => StepAdjustments,
  )
  expect(steps.map(({ ScalingAdjustment }) => ScalingAdjustment).sort()).toEqual([-1, 1, 2])
  const metrics = every('AWS::CloudWatch::Alarm').filter(({ AlarmDescription }) =>
    /scaling alarm/i.test(AlarmDescription),
  )
  expect(new Set(metrics.map(({ MetricName }) => MetricName))).toEqual(new Set(['scoring_seconds']))
})

test('the metrics come from the line that `serve` logs once a minute', () => {
  const filters = every('AWS::Logs::MetricFilter')
  expect(filters.map(({ MetricTransformations: [{ MetricValue }] }) => MetricValue).sort()).toEqual([
    '$.default_partition_rows',
    '$.deliveries_failed',
    '$.delivery_seconds',
    '$.partition_days_ahead',
    '$.scoring_seconds',
  ])
  for (const { FilterPattern } of filters) expect(FilterPattern).toBe('{ $.event = "backlog" }')
})

test('every alarm tells somebody and names a heading that the runbook has', () => {
  const runbook = readFileSync(new URL('../docs/runbook.md', import.meta.url), 'utf8')
  const own = every('AWS::CloudWatch::Alarm').filter(({ AlarmDescription }) =>
    AlarmDescription.startsWith('docs/runbook.md'),
  )
  const named = own.map(({ AlarmDescription }) => AlarmDescription.match(/"(.+)"/)[1])
  expect(named).toHaveLength(7)
  for (const heading of named) expect(runbook).toMatch(new RegExp(`^### ${heading}$`, 'm'))
  for (const { AlarmActions, OKActions } of own) {
    expect(AlarmActions).toEqual([{ Ref: expect.stringMatching(/^AlarmsTopic/) }])
    expect(OKActions).toEqual(AlarmActions)
  }
})

test.each([
  [
    'any datapoint lies in the default partition',
    'default_partition_rows',
    'GreaterThanThreshold',
    0,
    'Maximum',
  ],
  ['fewer than seven days to come are made', 'partition_days_ahead', 'LessThanThreshold', 7, 'Minimum'],
])(
  'an alarm rings when for a quarter of an hour %s',
  (_, MetricName, ComparisonOperator, Threshold, Statistic) => {
    template.hasResourceProperties('AWS::CloudWatch::Alarm', {
      ...{ MetricName, ComparisonOperator, Threshold, Statistic, Period: 300, EvaluationPeriods: 3 },
    })
  },
)

test('a service that falls silent is an alarm, unless none is meant to run', () => {
  const missing = (of: Template) =>
    every('AWS::CloudWatch::Alarm', of).find(({ AlarmDescription }) =>
      AlarmDescription.includes('not scored'),
    )?.TreatMissingData
  expect(missing(template)).toBe('breaching')
  expect(missing(templateOf({ serviceTasksMin: 0 }))).toBe('notBreaching')
})

test('tasks that end with an error are kept for the operator, those that were stopped are not', () => {
  template.hasResourceProperties('AWS::Events::Rule', {
    EventPattern: Match.objectLike({
      detail: Match.objectLike({
        lastStatus: ['STOPPED'],
        containers: { exitCode: [{ 'anything-but': 0 }] },
      }),
    }),
    Targets: [Match.objectLike({ Arn: { 'Fn::GetAtt': [Match.stringLikeRegexp('^Crashed'), 'Arn'] } })],
  })
})

test('alarms go to an address if one is given', () => {
  template.resourceCountIs('AWS::SNS::Subscription', 0)
  templateOf({ alarmEmail: 'ops@example.com' }).hasResourceProperties('AWS::SNS::Subscription', {
    ...{ Protocol: 'email', Endpoint: 'ops@example.com' },
  })
})

test('the override names a container that the task has', () => {
  container({ Name: 'ml' })
})

test('a start that fails is tried again for half an hour', () => {
  scoring({ RetryPolicy: { MaximumRetryAttempts: 5, MaximumEventAgeInSeconds: 1800 } })
})

test('a start that never succeeded ends on a dead-letter queue', () => {
  const queue = { 'Fn::GetAtt': [Match.stringLikeRegexp('^NotStarted'), 'Arn'] }
  scoring({ DeadLetterConfig: { Arn: queue } })
  template.hasResourceProperties('AWS::IAM::Policy', {
    PolicyDocument: {
      Statement: Match.arrayWith([Match.objectLike({ Action: 'sqs:SendMessage', Resource: queue })]),
    },
  })
})

test('the scheduler may run the task', () => {
  template.hasResourceProperties('AWS::IAM::Policy', {
    PolicyDocument: {
      Statement: Match.arrayWith([
        Match.objectLike({
          Action: 'ecs:RunTask',
          Resource: { Ref: Match.stringLikeRegexp('^TaskDefinition') },
        }),
      ]),
    },
  })
})

test('tasks have a public address, and nothing can connect to it', () => {
  scoring({
    EcsParameters: Match.objectLike({
      NetworkConfiguration: {
        AwsvpcConfiguration: Match.objectLike({
          AssignPublicIp: 'ENABLED',
          SecurityGroups: [{ 'Fn::GetAtt': [Match.stringLikeRegexp('^NetworkOutboundOnly'), 'GroupId'] }],
        }),
      },
    }),
  })
  template.resourceCountIs('AWS::EC2::SecurityGroup', 1)
  template.hasResourceProperties('AWS::EC2::SecurityGroup', { SecurityGroupIngress: Match.absent() })
  template.resourceCountIs('AWS::EC2::SecurityGroupIngress', 0)
})

test('there is no NAT gateway to pay for', () => {
  template.resourceCountIs('AWS::EC2::NatGateway', 0)
})

test('a deployment needs the full ARN of the secret', () => {
  const [parameter] = Object.values(template.findParameters('MlSettingsArn'))
  const pattern = new RegExp(parameter?.['AllowedPattern'])
  expect('arn:aws:secretsmanager:eu-central-1:123456789012:secret:edgepulse/ml-AbC123').toMatch(pattern)
  expect('edgepulse/ml').not.toMatch(pattern)
})
