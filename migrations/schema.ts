import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  date,
  doublePrecision,
  integer,
  jsonb,
  pgTable,
  smallint,
  text,
  uuid,
} from 'drizzle-orm/pg-core'
import { bytea, instant, tenantId } from './columns.ts'

/*
 * The tables of migrations/sql for typed access: columns, nullability and defaults. Keys, checks and indexes
 * live in the SQL alone. schema.test.ts holds this file against the migrated database.
 */

const count = (name: string) => bigint(name, { mode: 'number' }).notNull().default(0)

export interface RateLimit {
  datapoints_per_second: number
  batches_per_second: number
}

export const tenants = pgTable('tenants', {
  id: uuid('id').notNull(),
  name: text('name').notNull(),
  state: text('state', { enum: ['active', 'suspended', 'deleting'] })
    .notNull()
    .default('active'),
  retentionDays: integer('retention_days').notNull().default(30),
  seriesLimit: integer('series_limit').notNull().default(100_000),
  shards: integer('shards').notNull().default(1),
  rateLimit: jsonb('rate_limit').$type<RateLimit>(),
  createdAt: instant('created_at').notNull().defaultNow(),
})

export const apiKeys = pgTable('api_keys', {
  tenantId: tenantId(),
  id: uuid('id').notNull(),
  name: text('name'),
  keyHash: text('key_hash').notNull(),
  scopes: text('scopes').array().notNull(),
  createdAt: instant('created_at').notNull(),
  expiresAt: instant('expires_at'),
  revokedAt: instant('revoked_at'),
})

export const devices = pgTable('devices', {
  tenantId: tenantId(),
  id: uuid('id').notNull(),
  externalId: text('external_id').notNull(),
  createdAt: instant('created_at').notNull().defaultNow(),
  lastSeenAt: instant('last_seen_at').notNull(),
})

export const devicePresence = pgTable('device_presence', {
  tenantId: tenantId(),
  deviceId: uuid('device_id').notNull(),
  shard: smallint('shard').notNull(),
  change: bigint('change', { mode: 'number' }).notNull(),
  silentSince: instant('silent_since'),
  cadenceMs: bigint('cadence_ms', { mode: 'number' }),
  gapFrom: instant('gap_from'),
  gapUntil: instant('gap_until'),
  gapCountedMs: bigint('gap_counted_ms', { mode: 'number' }),
  gapCadenceMs: bigint('gap_cadence_ms', { mode: 'number' }),
  metAt: instant('met_at').notNull().defaultNow(),
})

export const shardPresence = pgTable('shard_presence', {
  tenantId: tenantId(),
  shard: smallint('shard').notNull(),
  asOf: instant('as_of').notNull(),
  countFrom: instant('count_from').notNull(),
  judged: count('judged'),
})

export const metrics = pgTable('metrics', {
  tenantId: tenantId(),
  id: uuid('id').notNull(),
  deviceId: uuid('device_id').notNull(),
  name: text('name').notNull(),
  unit: text('unit'),
  unitVersion: count('unit_version'),
  createdAt: instant('created_at').notNull().defaultNow(),
  lastTs: instant('last_ts'),
  unitSince: count('unit_since'),
  previousUnit: text('previous_unit'),
  previousUnitVersion: count('previous_unit_version'),
  unitChangedAt: instant('unit_changed_at').generatedAlwaysAs(
    sql`case when previous_unit is not null then to_timestamp((unit_since / 1024) / 1000.0) end`,
  ),
})

export const batches = pgTable('batches', {
  tenantId: tenantId(),
  batchId: text('batch_id').notNull(),
  r2Key: text('r2_key').notNull(),
  status: text('status', { enum: ['persisted', 'failed'] }).notNull(),
  datapoints: integer('datapoints'),
  rejected: integer('rejected'),
  receivedAt: instant('received_at'),
  persistedAt: instant('persisted_at'),
  error: text('error'),
  traceId: uuid('trace_id'),
})

export const datapoints = pgTable('datapoints', {
  tenantId: tenantId(),
  metricId: uuid('metric_id').notNull(),
  ts: instant('ts').notNull(),
  value: doublePrecision('value').notNull(),
  version: count('version'),
})

export const windowAggregates = pgTable('window_aggregates', {
  tenantId: tenantId(),
  metricId: uuid('metric_id').notNull(),
  windowStart: instant('window_start').notNull(),
  shard: smallint('shard').notNull(),
  part: bigint('part', { mode: 'number' }).notNull(),
  count: integer('count').notNull(),
  mean: doublePrecision('mean').notNull(),
  m2: doublePrecision('m2').notNull(),
  min: doublePrecision('min').notNull(),
  max: doublePrecision('max').notNull(),
  median: doublePrecision('median').notNull(),
  mad: doublePrecision('mad').notNull(),
  firstTs: instant('first_ts').notNull(),
  lastTs: instant('last_ts').notNull(),
  sketch: bytea('sketch').notNull(),
  createdAt: instant('created_at').notNull().defaultNow(),
  superseded: integer('superseded'),
  revision: integer('revision'),
})

export const replayedManifests = pgTable('replayed_manifests', {
  tenantId: tenantId(),
  scope: text('scope').notNull(),
  manifest: text('manifest').notNull(),
})

export const usageDaily = pgTable('usage_daily', {
  tenantId: tenantId(),
  day: date('day', { mode: 'string' }).notNull(),
  shard: smallint('shard').notNull().default(0),
  datapoints: count('datapoints'),
  batches: count('batches'),
  bytes: count('bytes'),
  duplicates: count('duplicates'),
  rejected: count('rejected'),
  windowsScored: count('windows_scored'),
})

export const deadLetters = pgTable('dead_letters', {
  id: bigint('id', { mode: 'number' }).notNull().generatedAlwaysAsIdentity(),
  tenantId: uuid('tenant_id'),
  body: jsonb('body').notNull(),
  reason: text('reason').notNull(),
  createdAt: instant('created_at').notNull().defaultNow(),
})

export const dueMetrics = pgTable('due_metrics', {
  tenantId: tenantId(),
  metricId: uuid('metric_id').notNull(),
  dueSince: instant('due_since').notNull().defaultNow(),
  revision: bigint('revision', { mode: 'number' }).notNull().default(1),
  changedFrom: instant('changed_from').notNull().default(sql`'-infinity'`),
})

export const correctedWindows = pgTable('corrected_windows', {
  tenantId: tenantId(),
  metricId: uuid('metric_id').notNull(),
  windowStart: instant('window_start').notNull(),
  revision: bigint('revision', { mode: 'number' }).notNull().default(1),
})

export const models = pgTable('models', {
  tenantId: tenantId(),
  id: uuid('id').notNull(),
  metricId: uuid('metric_id').notNull(),
  path: text('path').notNull(),
  sha256: text('sha256').notNull(),
  trainedUntil: instant('trained_until').notNull(),
  createdAt: instant('created_at').notNull().defaultNow(),
  updatedAt: instant('updated_at').notNull().defaultNow(),
})

export const anomalyScores = pgTable('anomaly_scores', {
  tenantId: tenantId(),
  metricId: uuid('metric_id').notNull(),
  windowStart: instant('window_start').notNull(),
  windowEnd: instant('window_end').notNull(),
  score: doublePrecision('score').notNull(),
  onsetScore: doublePrecision('onset_score').notNull(),
  state: text('state', { enum: ['learning', 'ready'] }).notNull(),
  reasons: jsonb('reasons').$type<string[]>().notNull().default([]),
  expectedLow: doublePrecision('expected_low'),
  expectedHigh: doublePrecision('expected_high'),
  deviation: doublePrecision('deviation'),
  modelId: uuid('model_id'),
  scoredAt: instant('scored_at').notNull(),
  readyAt: instant('ready_at'),
})

export const alertRules = pgTable('alert_rules', {
  tenantId: tenantId(),
  id: uuid('id').notNull(),
  name: text('name').notNull(),
  metricId: uuid('metric_id'),
  threshold: doublePrecision('threshold'),
  forWindows: integer('for_windows').notNull().default(1),
  cooldownSeconds: integer('cooldown_seconds').notNull().default(0),
  enabled: boolean('enabled').notNull().default(true),
  createdAt: instant('created_at').notNull().defaultNow(),
  resolveWindows: integer('resolve_windows').notNull().default(1),
  direction: text('direction', { enum: ['above', 'below', 'both'] })
    .notNull()
    .default('both'),
  minDeviation: doublePrecision('min_deviation').notNull().default(0),
  minDeviationRelative: doublePrecision('min_deviation_relative').notNull().default(0),
  maxAgeSeconds: integer('max_age_seconds').notNull().default(86_400),
  kind: text('kind', { enum: ['anomaly', 'silence'] })
    .notNull()
    .default('anomaly'),
  deviceId: uuid('device_id'),
  intervals: doublePrecision('intervals'),
  floorSeconds: integer('floor_seconds'),
  armedAt: instant('armed_at').notNull().defaultNow(),
})

export const alertEvents = pgTable('alert_events', {
  tenantId: tenantId(),
  id: uuid('id').notNull(),
  ruleId: uuid('rule_id').notNull(),
  metricId: uuid('metric_id'),
  windowEnd: instant('window_end'),
  score: doublePrecision('score'),
  threshold: doublePrecision('threshold'),
  reasons: jsonb('reasons').$type<string[]>().notNull().default([]),
  state: text('state', { enum: ['open', 'resolved'] }).notNull(),
  openedAt: instant('opened_at').notNull(),
  resolvedAt: instant('resolved_at'),
  dataMissingSince: instant('data_missing_since'),
  announced: boolean('announced').notNull().default(true),
  acknowledgedAt: instant('acknowledged_at'),
  acknowledgementNote: text('acknowledgement_note'),
  traceId: uuid('trace_id'),
  kind: text('kind', { enum: ['anomaly', 'silence'] })
    .notNull()
    .default('anomaly'),
  resolvedReason: text('resolved_reason').$type<'rule_disabled'>(),
  deviceCount: integer('device_count'),
  sequence: integer('sequence'),
})

export const alertEventDevices = pgTable('alert_event_devices', {
  tenantId: tenantId(),
  eventId: uuid('event_id').notNull(),
  deviceId: uuid('device_id').notNull(),
  lastSeenAt: instant('last_seen_at').notNull(),
  silentAt: instant('silent_at').notNull(),
  cadenceMs: bigint('cadence_ms', { mode: 'number' }).notNull(),
  recoveredAt: instant('recovered_at'),
})

export const silenceCursors = pgTable('silence_cursors', {
  tenantId: tenantId(),
  ruleId: uuid('rule_id').notNull(),
  deviceId: uuid('device_id').notNull(),
  lastSeenAt: instant('last_seen_at').notNull(),
  openEventId: uuid('open_event_id'),
})

export const alertCursors = pgTable('alert_cursors', {
  tenantId: tenantId(),
  ruleId: uuid('rule_id').notNull(),
  metricId: uuid('metric_id').notNull(),
  lastWindowEnd: instant('last_window_end').notNull(),
  aboveWindows: integer('above_windows').notNull().default(0),
  openEventId: uuid('open_event_id'),
  closedAt: instant('closed_at'),
  sequence: integer('sequence').notNull().default(0),
  belowWindows: integer('below_windows').notNull().default(0),
})

/** A secret that was replaced and still signs along: sealed, and until when (ISO 8601). */
export interface PreviousSecret {
  secret: string
  expires_at: string
}

export const webhookEndpoints = pgTable('webhook_endpoints', {
  tenantId: tenantId(),
  id: uuid('id').notNull(),
  url: text('url').notNull(),
  enabled: boolean('enabled').notNull().default(true),
  secret: text('secret').notNull(),
  createdAt: instant('created_at').notNull().defaultNow(),
  failingSince: instant('failing_since'),
  disabledAt: instant('disabled_at'),
  disabledReason: text('disabled_reason', { enum: ['gone', 'failing'] }),
  previousSecrets: jsonb('previous_secrets').$type<PreviousSecret[]>().notNull().default([]),
})

export interface DeliveryAttempt {
  at: string
  status: number | null
  duration_ms: number
  error: string | null
  /** First characters of the answer's body; absent in attempts stored before it was kept. */
  response?: string | null
}

export const webhookDeliveries = pgTable('webhook_deliveries', {
  tenantId: tenantId(),
  id: uuid('id').notNull(),
  webhookId: uuid('webhook_id').notNull(),
  eventKey: text('event_key').notNull(),
  type: text('type').notNull(),
  body: text('body').notNull(),
  state: text('state', { enum: ['pending', 'delivered', 'failed'] })
    .notNull()
    .default('pending'),
  attempts: jsonb('attempts').$type<DeliveryAttempt[]>().notNull().default([]),
  attemptCount: integer('attempt_count').notNull().default(0),
  nextAttemptAt: instant('next_attempt_at'),
  createdAt: instant('created_at').notNull().defaultNow(),
  alertId: uuid('alert_id'),
  sequence: integer('sequence'),
  claimedUntil: instant('claimed_until'),
  traceId: uuid('trace_id'),
})
