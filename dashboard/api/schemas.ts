import * as v from 'valibot'

/** ISO 8601 in answers becomes epoch ms here, once. */
const instantSchema = v.pipe(
  v.string(),
  v.transform((text) => Date.parse(text)),
  v.finite(),
)

export const deviceSchema = v.object({
  id: v.string(),
  external_id: v.string(),
  last_seen_at: v.nullable(instantSchema),
  metric_count: v.number(),
})
export type Device = v.InferOutput<typeof deviceSchema>

export const metricSchema = v.object({
  id: v.string(),
  device_id: v.string(),
  device: v.string(),
  name: v.string(),
  unit: v.nullable(v.string()),
  last_ts: v.nullable(instantSchema),
  last_score: v.nullable(v.number()),
})
export type Metric = v.InferOutput<typeof metricSchema>

export const windowSchema = v.object({
  window_start: instantSchema,
  window_end: instantSchema,
  count: v.number(),
  mean: v.number(),
  std: v.number(),
  median: v.number(),
  min: v.number(),
  max: v.number(),
})
export type MetricWindow = v.InferOutput<typeof windowSchema>

export const anomalySchema = v.object({
  window_start: instantSchema,
  window_end: instantSchema,
  score: v.number(),
  state: v.picklist(['learning', 'ready']),
  reasons: v.array(v.string()),
  // Unknown while the metric is learning.
  expected: v.nullable(v.object({ low: v.nullable(v.number()), high: v.nullable(v.number()) })),
})
export type Anomaly = v.InferOutput<typeof anomalySchema>

export const pageOf = <T extends v.GenericSchema>(rowSchema: T) =>
  v.object({ data: v.array(rowSchema), next_cursor: v.nullable(v.string()) })

export interface Page<Row> {
  data: Row[]
  next_cursor: string | null
}
