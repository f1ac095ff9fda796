import * as v from 'valibot'

/*
 * The one schema of every log line, of the Worker, its objects and the ML service. It is closed: what has no field here
 * cannot be logged, so neither a payload nor a secret finds a place by accident.
 */

/** Every event, with when it is logged. docs/observability.md shows them as a table. */
export const EVENTS = {
  ingest:
    'A request with a batch was answered: its `outcome` is `accepted`, `duplicate` or the code of a refusal.',
  queue_send_failed: 'The queue did not take a batch’s message; the shard sends it later.',
  batch_persisted: 'A batch is in Postgres, `lag_ms` after its 202.',
  flush_persisted: 'A flush of closed windows is in Postgres.',
  consume_postponed: 'A message could not be worked on for a passing reason; it comes again.',
  consume_failed: 'A message could not be worked on for a reason that lies in it.',
  failure_not_noted: 'The reason of a failure could not be told to the shard.',
  message_of_deleted_tenant: 'A message of a tenant that is gone was dropped.',
  dead_letter: 'A message failed for good and was stored with its reason.',
  dead_letter_not_stored: 'A dead letter could not be stored; it comes again.',
  batches_sent_again: 'A shard sent `count` batches again that nobody had acknowledged.',
  flush_not_announced: 'The queue did not take the message of a flush; the shard’s alarm sends it.',
  retry_not_announced: 'The queue did not take the message of a retry; the shard’s alarm sends it.',
  shard_work_failed: 'A step of a shard’s alarm, told in `work`, failed; it is tried again.',
  control_work_failed: 'A step of a tenant’s control object failed; it is tried again.',
  admin_call: 'A call of `/admin` was answered with `status`.',
  unavailable: 'A request was answered 503.',
  internal_error: 'A request was answered 500: something that nobody foresaw.',
  status_without_database: 'A tenant’s status was told without what Postgres knows.',
  serving: 'The service answers on `port`.',
  stopped: 'The service ended as it was told to.',
  backlog: 'Once a minute: what waits, and how the partitions are. infra/ makes metrics of it.',
  postgres_away: 'Postgres cannot be reached; told once, and tried again until it can.',
  postgres_back: 'Postgres answers again.',
  work_failed: 'A piece of the service’s work, told in `work`, failed; it is tried again.',
  command_failed: 'The command ended with an error.',
  progress: 'How far a long command is.',
  scored: 'A chunk of one tenant’s due metrics was scored.',
  scoring_failed: 'A metric could not be scored; it stays due.',
  scoring_repeated: 'Scoring gave way to another transaction and is done again.',
  alert_opened:
    'An alert opened; `trace_id` is of the batch that brought the newest datapoint of its window.',
  alert_resolved: 'An alert ended.',
  devices_judged: 'Devices of a tenant fell silent, or sent again; `settled` alerts of disabled rules ended.',
  devices_not_judged: 'A tenant’s devices could not be judged; the next round tries again.',
  webhook_attempt: 'A webhook was sent: `delivered`, `retrying` or `failed` for good.',
  training_failed: 'A metric’s baseline could not be trained.',
  artefact_unusable: 'A model artefact is missing or damaged; scoring walks from an older one.',
  artefacts_not_removed: 'Superfluous model artefacts could not be removed: they cost space, nothing else.',
  secret_not_resealed: 'A webhook secret could not be sealed with the new key.',
  retention_applied: 'What is past its retention was dropped, and coming days were made.',
  retention_blocked: 'Datapoints were in use all the time: some days were not made or dropped.',
  rows_expired: 'Rows of a tenant past their period were deleted.',
  day_dropped: 'A day’s partition was dropped.',
  day_emptied: 'What is expired of a day was deleted.',
  day_in_use: 'A day is in use and was not cleared; the next run tries again.',
  default_filled: 'Datapoints lie in the default partition: their days had no partition when they came.',
  default_emptied: 'The datapoints of the default partition were moved into days.',
  default_in_use: 'The default partition is in use; the next run moves its rows.',
  tenant_lost: 'A replay met a tenant that the database does not know: its name is its id now.',
  batch_damaged: 'A replay met a batch that cannot be read, and left it out.',
  object_unnamed: 'A replay met an object that no manifest names, and left it out.',
} as const

export type EventName = keyof typeof EVENTS

const isEvent = (name: string): name is EventName => name in EVENTS

/** An error or a reason: cut, as it may quote what it is about. */
const MAX_TEXT = 1000
const Name = v.pipe(v.string(), v.maxLength(300))
const Text = v.pipe(v.string(), v.maxLength(MAX_TEXT))
const Id = v.pipe(v.string(), v.uuid())
const Integer = v.pipe(v.number(), v.integer())
const Days = v.object({
  ...{ days_made: Integer, days_emptied: Integer, days_dropped: Integer },
  ...{ days_postponed: Integer, days_missing: Integer },
})

const FIELDS = v.partial(
  v.strictObject({
    // Who and what
    ...{ tenant_id: Id, batch_id: Name, metric_id: Id, alert_id: Id, delivery_id: Id, webhook_id: Id },
    ...{ shard: Integer, flush_id: Integer, r2_key: v.string() },
    trace_id: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/)),
    ...{ method: Name, path: v.string(), address: Name, type: Name, work: Name, day: Name, unit: Name },
    // How it went
    ...{ outcome: Name, status: v.nullable(Integer), duration_ms: v.number(), lag_ms: v.number() },
    ...{ error: Text, cause: Text, reason: Text, message: Text },
    // How many
    ...{ datapoints: Integer, rejected: Integer, bytes: Integer, windows: Integer, metrics: Integer },
    ...{ scored: Integer, rescored: Integer, anomalous: Integer, opened: Integer, resolved: Integer },
    ...{ silent: Integer, recovered: Integer, settled: Integer },
    ...{ attempt: Integer, attempts: Integer, count: Integer, done: Integer, total: Integer, rows: Integer },
    ...{ port: Integer, connections: Integer, ...Days.entries, deleted: v.record(Name, Integer) },
    // What waits
    ...{ scoring_seconds: v.number(), delivery_seconds: v.number(), deliveries_failed: Integer },
    ...{ default_partition_rows: Integer, partition_days_ahead: Integer },
  }),
)

export const LogLine = v.strictObject({
  time: v.pipe(v.string(), v.isoTimestamp()),
  level: v.picklist(['info', 'warn', 'error']),
  service: v.picklist(['edge', 'ml']),
  event: v.picklist(Object.keys(EVENTS).filter(isEvent)),
  ...FIELDS.entries,
})
export type LogLine = v.InferOutput<typeof LogLine>
export type LogFields = v.InferOutput<typeof FIELDS>

/** One line without its end; errors and reasons are cut to a bound. */
export function logLine(
  head: Pick<LogLine, 'level' | 'service' | 'event'> & { now: number },
  fields: LogFields,
): string {
  const { now, level, service, event } = head
  const line = { time: new Date(now).toISOString(), level, service, event, ...fields }
  for (const name of ['error', 'cause', 'reason', 'message'] as const) {
    const text = line[name]
    if (text !== undefined && text.length > MAX_TEXT) line[name] = text.slice(0, MAX_TEXT)
  }
  return JSON.stringify(line)
}

const SAMPLED_DIGITS = 8

/**
 * Whether successes of this trace are logged, at a rate of 0 to 1: decided by its last digits, which are random in
 * every trace-id, so that the lines of one request stay together in whichever part. Failures are always logged.
 */
export const isSampled = (traceId: string, rate: number) =>
  // So that a rate which is no number, in a setting, hides nothing.
  !(Number.parseInt(traceId.slice(-SAMPLED_DIGITS), 16) >= rate * 16 ** SAMPLED_DIGITS)
