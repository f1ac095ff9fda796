import { sql } from 'drizzle-orm'
import {
  bigint,
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
 * The tables of migrations/sql for typed access: columns, nullability and defaults. Keys, checks and indexes live in
 * the SQL alone. schema.test.ts holds this file, and alerting-schema.ts, against the migrated database.
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
