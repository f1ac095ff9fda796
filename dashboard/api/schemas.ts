import * as v from 'valibot'

/*
 * What the page reads of the API's answers; a test holds it against the API's own description. Fields that are
 * left out are not looked at.
 */

/** ISO 8601 in answers becomes epoch ms here, once. */
const instantSchema = v.pipe(
  v.string(),
  v.transform((text) => Date.parse(text)),
  v.finite(),
)
const maybeInstantSchema = v.nullable(instantSchema)

export const deviceSchema = v.object({
  id: v.string(),
  external_id: v.string(),
  last_seen_at: instantSchema,
  metric_count: v.number(),
  cadence_seconds: v.nullable(v.number()),
})
export type Device = v.InferOutput<typeof deviceSchema>

export const metricSchema = v.object({
  id: v.string(),
  device_id: v.string(),
  device: v.string(),
  name: v.string(),
  unit: v.nullable(v.string()),
  last_ts: maybeInstantSchema,
  last_score: v.nullable(v.number()),
  // Null before any window was scored.
  state: v.nullable(v.picklist(['learning', 'ready'])),
  // When learning will be over; null when it is, and when data failed to come.
  ready_at: maybeInstantSchema,
})
export type Metric = v.InferOutput<typeof metricSchema>

export const windowSchema = v.object({
  window_start: instantSchema,
  window_end: instantSchema,
  count: v.number(),
  mean: v.number(),
  std: v.number(),
  median: v.number(),
  mad: v.number(),
  min: v.number(),
  max: v.number(),
  range: v.number(),
})
export type MetricWindow = v.InferOutput<typeof windowSchema>

export const anomalySchema = v.object({
  window_start: instantSchema,
  window_end: instantSchema,
  score: v.number(),
  state: v.picklist(['learning', 'ready']),
  reasons: v.array(v.string()),
  // Unknown while the metric is learning.
  expected: v.object({ low: v.nullable(v.number()), high: v.nullable(v.number()) }),
})
export type Anomaly = v.InferOutput<typeof anomalySchema>

export const topAnomalySchema = v.object({
  metric_id: v.string(),
  device_id: v.string(),
  device: v.string(),
  metric: v.string(),
  unit: v.nullable(v.string()),
  window_start: instantSchema,
  window_end: instantSchema,
  score: v.number(),
  anomalous_windows: v.number(),
  reasons: v.array(v.string()),
})
export type TopAnomaly = v.InferOutput<typeof topAnomalySchema>

export const statusSchema = v.object({
  last_batch_at: maybeInstantSchema,
  batches_pending: v.number(),
  oldest_pending_seconds: v.nullable(v.number()),
  // Null while the database is away.
  batches_failed: v.nullable(v.number()),
  last_window_end: maybeInstantSchema,
  last_scored_window_end: maybeInstantSchema,
  rate: v.object({ datapoints_per_second: v.number() }),
  series_used: v.number(),
  series_limit: v.number(),
  warnings: v.array(v.object({ code: v.string(), message: v.string() })),
})
export type Status = v.InferOutput<typeof statusSchema>

const countEntries = {
  datapoints: v.number(),
  batches: v.number(),
  bytes: v.number(),
  duplicates: v.number(),
  rejected: v.number(),
  windows_scored: v.number(),
}
export const usageSchema = v.object({
  data: v.array(v.object({ date: v.string(), ...countEntries })),
  total: v.object(countEntries),
})
export type Usage = v.InferOutput<typeof usageSchema>
export type UsageDay = Usage['data'][number]

export const batchSchema = v.object({
  batch_id: v.string(),
  status: v.picklist(['accepted', 'persisted', 'failed']),
  datapoints: v.number(),
  r2_key: v.string(),
  received_at: instantSchema,
  persisted_at: maybeInstantSchema,
  error: v.nullable(v.string()),
})
export type Batch = v.InferOutput<typeof batchSchema>

export const alertSchema = v.object({
  id: v.string(),
  rule_id: v.string(),
  // Null in alerts of silence.
  metric_id: v.nullable(v.string()),
  window_end: maybeInstantSchema,
  score: v.nullable(v.number()),
  threshold: v.nullable(v.number()),
  state: v.picklist(['open', 'resolved']),
  opened_at: instantSchema,
  resolved_at: maybeInstantSchema,
  data_missing_since: maybeInstantSchema,
  // Left out by an API that takes no acknowledgements.
  acknowledged_at: v.optional(maybeInstantSchema),
  acknowledgement_note: v.optional(v.nullable(v.string())),
  resolved_reason: v.nullable(v.picklist(['rule_disabled'])),
  // Null in alerts of a metric.
  device_count: v.nullable(v.number()),
  silent_count: v.nullable(v.number()),
  devices: v.nullable(
    v.array(
      v.object({
        device_id: v.string(),
        device: v.string(),
        last_seen_at: instantSchema,
        recovered_at: maybeInstantSchema,
      }),
    ),
  ),
})
export type Alert = v.InferOutput<typeof alertSchema>

export const ruleSchema = v.object({
  id: v.string(),
  kind: v.picklist(['anomaly', 'silence']),
  name: v.string(),
  metric_id: v.nullable(v.string()),
  // Of silence.
  device_id: v.nullable(v.string()),
  intervals: v.nullable(v.number()),
  floor_seconds: v.nullable(v.number()),
  // Null in rules of silence.
  threshold: v.nullable(v.number()),
  for_windows: v.number(),
  resolve_windows: v.number(),
  cooldown_seconds: v.number(),
  direction: v.picklist(['above', 'below', 'both']),
  min_deviation: v.number(),
  min_deviation_relative: v.number(),
  max_age_seconds: v.number(),
  enabled: v.boolean(),
})
export type Rule = v.InferOutput<typeof ruleSchema>

export const rulePreviewSchema = v.object({
  from: instantSchema,
  to: instantSchema,
  windows: v.number(),
  alerts: v.number(),
  complete: v.boolean(),
  metrics: v.number(),
  latest: v.array(
    v.object({
      metric_id: v.string(),
      window_end: instantSchema,
      resolved_window_end: maybeInstantSchema,
    }),
  ),
})
export type RulePreview = v.InferOutput<typeof rulePreviewSchema>

export const webhookSchema = v.object({ id: v.string(), url: v.string(), enabled: v.boolean() })
export type Webhook = v.InferOutput<typeof webhookSchema>

export const secretSchema = v.object({ secret: v.string() })
export const createdWebhookSchema = v.object({ ...webhookSchema.entries, ...secretSchema.entries })

export const deliverySchema = v.object({
  id: v.string(),
  type: v.string(),
  state: v.picklist(['pending', 'delivered', 'failed']),
  next_attempt_at: maybeInstantSchema,
  attempts: v.array(
    v.object({
      at: instantSchema,
      status: v.nullable(v.number()),
      duration_ms: v.number(),
      error: v.nullable(v.string()),
    }),
  ),
})
export type Delivery = v.InferOutput<typeof deliverySchema>

export const pageOf = <T extends v.GenericSchema>(rowSchema: T) =>
  v.object({ data: v.array(rowSchema), next_cursor: v.nullable(v.string()) })

export interface Page<Row> {
  data: Row[]
  next_cursor: string | null
}
