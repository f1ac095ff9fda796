import type { TimeSpan } from '../time-range.ts'
import { allPages } from './all-pages.ts'
import type { ReadOptions, Requests } from './request.ts'
import {
  alertSchema,
  createdWebhookSchema,
  deliverySchema,
  pageOf,
  type Rule,
  rulePreviewSchema,
  ruleSchema,
  secretSchema,
  webhookSchema,
} from './schemas.ts'

const MAX_LIMIT = 1000
/** Deliveries of a page. */
export const DELIVERIES_LIMIT = 25

/** What a rule of silence says, without its id. */
export interface SilenceRuleFields {
  kind: 'silence'
  name: string
  device_id: string | null
  intervals: number
  floor_seconds: number
  enabled: boolean
}

/** What a rule on scores says. */
export type RuleFields = Omit<
  Rule,
  'id' | 'kind' | 'device_id' | 'intervals' | 'floor_seconds' | 'threshold'
> & {
  threshold: number
}

export interface AlertFilter {
  metricId?: string
  state?: 'open' | 'resolved'
}

/** Alerts, their rules, and where they are sent. */
export function alertingApi(requests: Requests) {
  return { ...alertsApi(requests), ...rulesApi(requests), ...webhooksApi(requests) }
}

function alertsApi({ get, send }: Requests) {
  return {
    /** Those opened within the span, oldest first. */
    alerts: ({ from, to }: TimeSpan, { metricId, state }: AlertFilter, read: ReadOptions = {}) =>
      allPages((cursor) => {
        const params = { metric_id: metricId, state, from, to, limit: MAX_LIMIT, cursor }
        return get('/v1/alerts', params, pageOf(alertSchema), read)
      }),
    acknowledgeAlert: (id: string, note: string) =>
      send('POST', `/v1/alerts/${encodeURIComponent(id)}/acknowledge`, alertSchema, {
        body: { note: note || null },
      }),
  }
}

function rulesApi({ get, send, remove }: Requests) {
  const path = (id: string) => `/v1/alert-rules/${encodeURIComponent(id)}`
  return {
    rules: (read: ReadOptions = {}) =>
      allPages((cursor) => get('/v1/alert-rules', { limit: MAX_LIMIT, cursor }, pageOf(ruleSchema), read)),
    rule: (id: string, read: ReadOptions = {}) => get(path(id), {}, ruleSchema, read),
    createRule: (body: RuleFields | SilenceRuleFields) =>
      send('POST', '/v1/alert-rules', ruleSchema, { body }),
    changeRule: (id: string, body: Partial<RuleFields> | SilenceRuleFields) =>
      send('PATCH', path(id), ruleSchema, { body }),
    deleteRule: (id: string) => remove(path(id)),
    previewRule: (body: RuleFields, { from, to }: TimeSpan, read: ReadOptions = {}) =>
      send('POST', '/v1/alert-rules/preview', rulePreviewSchema, { ...read, body, params: { from, to } }),
  }
}

function webhooksApi({ get, send, remove }: Requests) {
  const path = (id: string) => `/v1/webhooks/${encodeURIComponent(id)}`
  return {
    webhooks: (read: ReadOptions = {}) =>
      allPages((cursor) => get('/v1/webhooks', { limit: MAX_LIMIT, cursor }, pageOf(webhookSchema), read)),
    webhook: (id: string, read: ReadOptions = {}) => get(path(id), {}, webhookSchema, read),
    createWebhook: (url: string) => send('POST', '/v1/webhooks', createdWebhookSchema, { body: { url } }),
    changeWebhook: (id: string, body: { url?: string; enabled?: boolean }) =>
      send('PATCH', path(id), webhookSchema, { body }),
    deleteWebhook: (id: string) => remove(path(id)),
    rotateSecret: (id: string) => send('POST', `${path(id)}/rotate-secret`, secretSchema),
    testWebhook: (id: string) => send('POST', `${path(id)}/test`, deliverySchema),
    deliveries: (id: string, cursor?: string, read: ReadOptions = {}) =>
      get(`${path(id)}/deliveries`, { limit: DELIVERIES_LIMIT, cursor }, pageOf(deliverySchema), read),
    retryDelivery: (id: string) =>
      send('POST', `/v1/deliveries/${encodeURIComponent(id)}/retry`, deliverySchema),
  }
}
