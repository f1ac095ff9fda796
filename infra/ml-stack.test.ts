import { fileURLToPath } from 'node:url'
import { App } from 'aws-cdk-lib'
import { Capture, Match, Template } from 'aws-cdk-lib/assertions'
import { expect, test } from 'vitest'
import { MlStack } from './ml-stack.ts'

// Any folder with a Dockerfile does: the image is built at deployment, not here.
const imageFolder = fileURLToPath(new URL('../ml-service', import.meta.url))
const template = Template.fromStack(new MlStack(new App(), 'Test', { imageFolder }))

const container = (properties: object) =>
  template.hasResourceProperties('AWS::ECS::TaskDefinition', {
    ContainerDefinitions: [Match.objectLike(properties)],
  })

const scoring = (target: object) =>
  template.hasResourceProperties('AWS::Scheduler::Schedule', {
    Description: 'node cli.js score --all',
    Target: Match.objectLike(target),
  })

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

test('no secret stands in the environment in the clear', () => {
  const environment = new Capture()
  container({ Environment: environment })
  expect(environment.asArray().map(({ Name }) => Name)).toEqual(['MODEL_DIR'])
})

test('models are kept in the bucket, which the task may read and write', () => {
  const bucket = { Ref: Match.stringLikeRegexp('^Models') }
  container({
    Environment: [{ Name: 'MODEL_DIR', Value: { 'Fn::Join': ['', ['s3://', bucket, '/models']] } }],
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

test('logs are kept for a month', () => {
  template.hasResourceProperties('AWS::Logs::LogGroup', { RetentionInDays: 30 })
})

test('all due metrics are scored every hour', () => {
  template.hasResourceProperties('AWS::Scheduler::Schedule', {
    ScheduleExpression: 'cron(5 * * * ? *)',
    ScheduleExpressionTimezone: 'Etc/UTC',
    State: 'ENABLED',
    Target: Match.objectLike({ Input: '{"containerOverrides":[{"name":"ml","command":["score","--all"]}]}' }),
  })
})

test('what is past its retention is dropped every day', () => {
  template.hasResourceProperties('AWS::Scheduler::Schedule', {
    ScheduleExpression: 'cron(15 0 * * ? *)',
    Target: Match.objectLike({ Input: '{"containerOverrides":[{"name":"ml","command":["retention"]}]}' }),
  })
})

test('the override names a container that the task has', () => {
  container({ Name: 'ml' })
})

test('a start that fails is tried again for half an hour', () => {
  scoring({ RetryPolicy: { MaximumRetryAttempts: 5, MaximumEventAgeInSeconds: 1800 } })
})

test('a start that never succeeded ends on a dead-letter queue', () => {
  const queue = { 'Fn::GetAtt': [Match.stringLikeRegexp('^ScoringNotStarted'), 'Arn'] }
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
