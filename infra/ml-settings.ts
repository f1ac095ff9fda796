import type { Node } from 'constructs'
import * as v from 'valibot'

/** Context comes as a number or a boolean from cdk.json, as text from `cdk deploy -c name=value`. */
const wholeNumber = (least: number, most: number) =>
  v.pipe(v.union([v.number(), v.string()]), v.toNumber(), v.integer(), v.minValue(least), v.maxValue(most))
const share = v.pipe(v.union([v.number(), v.string()]), v.toNumber(), v.minValue(0), v.maxValue(1))
const flag = v.pipe(v.union([v.boolean(), v.string()]), v.transform(String), v.parseBoolean())
const cron = v.pipe(
  v.string(),
  v.regex(
    /^cron\(\S+ \S+ \S+ \S+ \S+ \S+\)$|^rate\(\d+ \w+\)$/,
    'must be cron(…) with six fields, or rate(…)',
  ),
)

/** Of Fargate's combinations those that leave room for 512 MiB of work. */
const SIZES = {
  small: { cpu: 512, memoryMiB: 1024 },
  medium: { cpu: 1024, memoryMiB: 2048 },
  large: { cpu: 2048, memoryMiB: 4096 },
} as const

/** All that an operator sets: cdk.json's context, or `-c name=value`. The values here are the defaults. */
const SETTINGS = {
  /** Runs `score --all`: what the service has left, and everything where the service is not run. */
  scoringSchedule: v.optional(cron, 'cron(5 * * * ? *)'),
  /** Tasks that each start of scoring sets going; they share the due work. */
  scoringTasks: v.optional(wholeNumber(1, 10), 1),
  trainingSchedule: v.optional(cron, 'cron(20 1 * * ? *)'),
  trainingTasks: v.optional(wholeNumber(1, 10), 1),
  retentionSchedule: v.optional(cron, 'cron(15 0 * * ? *)'),
  /** Scheduled tasks on Spot: up to 70 % cheaper, and stopped at two minutes' notice, which they survive. */
  spot: v.optional(flag, true),
  /** Tasks of `serve`; more than the least as work gets old. */
  serviceTasksMin: v.optional(wholeNumber(0, 20), 1),
  serviceTasksMax: v.optional(wholeNumber(1, 20), 4),
  size: v.optional(v.picklist(['small', 'medium', 'large']), 'medium'),
  logDays: v.optional(v.pipe(wholeNumber(1, 365), v.values([1, 3, 7, 14, 30, 60, 90, 180, 365])), 30),
  /** Share of successes that the ML service logs where there are many; failures always are. */
  logSampleRate: v.optional(share, 1),
  /** While webhook secrets are re-encrypted: the secret holds WEBHOOK_SECRET_KEY_PREVIOUS too. */
  webhookKeyRotation: v.optional(flag, false),
  /** Hears of alarms; without it they are only shown in CloudWatch. */
  alarmEmail: v.optional(v.pipe(v.string(), v.email())),
  /** How long a due window may wait: past the hourly task and the service. */
  unscoredAlarmMinutes: v.optional(wholeNumber(5, 1440), 90),
}

const schema = v.pipe(
  v.object(SETTINGS),
  v.transform(({ size, ...settings }) => ({ ...settings, size: SIZES[size] })),
)
export type MlSettings = v.InferOutput<typeof schema>

/** Throws an error that names the setting and what it must be. */
export function readMlSettings(node: Node): MlSettings {
  const given = Object.keys(SETTINGS).map((name) => [name, node.tryGetContext(name)] as const)
  const parsed = v.safeParse(schema, Object.fromEntries(given.filter(([, value]) => value !== undefined)))
  if (parsed.success) return parsed.output
  throw new Error(parsed.issues.map((issue) => `${v.getDotPath(issue)}: ${issue.message}`).join('\n'))
}
