import * as v from 'valibot'
import type { Api } from '../api.ts'
import type { WebhookReceiver } from '../webhook-receiver.ts'
import type { DemoSeries } from './demo-series.ts'
import type { DemoState } from './demo-state.ts'
import { countStored, type Stored } from './stored.ts'

/** A labelled failure, and the first anomalous window in it, if there is one. */
export interface Detection {
  device: string
  metric: string
  from: number
  to: number
  found: { windowEnd: string; score: number } | undefined
}

/** Everything the demo's result is made of, as the API, the database and the receiver tell it. */
export interface Facts {
  usage: { datapoints: number; duplicates: number; rejected: number; windows_scored: number }
  stored: Stored
  detections: Detection[]
  anomalies: number
  /** Those of them that lie in a labelled failure. */
  labelled: number
  /** Deliveries of alerts that the API calls delivered and the receiver has verified. */
  delivered: number
  /** Deliveries that still wait for an attempt. */
  undelivered: number
  refused: number
}

export interface DemoParts {
  api: Api
  state: DemoState
  series: DemoSeries[]
  receiver: WebhookReceiver
  databaseUrl: string
}

const count = v.number()
const usageSchema = v.object({
  total: v.object({ datapoints: count, duplicates: count, rejected: count, windows_scored: count }),
})
const metricSchema = v.object({ id: v.string(), device: v.string(), name: v.string() })
const anomalySchema = v.object({ window_start: v.string(), window_end: v.string(), score: v.number() })
const deliverySchema = v.object({ id: v.string(), type: v.string(), state: v.string() })

const DAY_MS = 86_400_000

export async function examine(parts: DemoParts): Promise<Facts> {
  const { api, state, receiver } = parts
  const day = (ms: number) => new Date(ms).toISOString().slice(0, 10)
  const { total } = await api.json(`/v1/usage?from=${day(state.anchor)}&to=${day(Date.now())}`, usageSchema)
  const { detections, anomalies, labelled } = await detected(parts)
  const deliveries = await api.list(`/v1/webhooks/${state.webhook_id}/deliveries`, deliverySchema)
  const alerts = deliveries.filter(({ type }) => type === 'alert.opened')
  const verified = new Set(receiver.received.map(({ webhook_id: id }) => id))
  return {
    usage: total,
    stored: await countStored(parts.databaseUrl, state.tenant_id),
    detections,
    anomalies,
    labelled,
    delivered: alerts.filter((one) => one.state === 'delivered' && verified.has(one.id)).length,
    undelivered: alerts.filter((one) => one.state !== 'delivered').length,
    refused: receiver.refused,
  }
}

/** Holds the anomalous windows of each series against its labels. */
async function detected({ api, state, series }: DemoParts) {
  const metrics = await api.list('/v1/metrics', metricSchema)
  const detections: Detection[] = []
  let [anomalies, labelled] = [0, 0]
  for (const { device, metric, points, labels } of series) {
    const id = metrics.find((one) => one.device === device && one.name === metric)?.id
    const range = `from=${points[0]![0]}&to=${state.anchor + DAY_MS}`
    const path = `/v1/anomalies?metric_id=${id}&min_score=1&${range}`
    const rows = id ? await api.list(path, anomalySchema) : []
    const hits = labels.map((label) => rows.filter((row) => overlaps(row, label)))
    anomalies += rows.length
    labelled += new Set(hits.flat()).size
    labels.forEach((label, i) => {
      const first = hits[i]?.[0]
      const found = first && { windowEnd: first.window_end, score: first.score }
      detections.push({ device, metric, ...label, found })
    })
  }
  return { detections, anomalies, labelled }
}

const overlaps = (row: v.InferOutput<typeof anomalySchema>, label: { from: number; to: number }) =>
  Date.parse(row.window_end) > label.from && Date.parse(row.window_start) <= label.to
