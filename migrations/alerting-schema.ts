import { bigint, boolean, doublePrecision, integer, jsonb, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { instant, tenantId } from './columns.ts'

/* The tables of rules, of the alerts that they raise and of the webhooks that tell of these; see schema.ts. */

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
