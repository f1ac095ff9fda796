import { Hono } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { adminRoute } from './admin/admin-route.ts'
import { alertRulesRoute } from './alerting/alert-rules-route.ts'
import { alertsRoute } from './alerting/alerts-route.ts'
import { deliveryRoutes } from './alerting/delivery-routes.ts'
import { rulePreviewRoute } from './alerting/rule-preview-route.ts'
import { webhooksRoute } from './alerting/webhooks-route.ts'
import { answerHeaders } from './answer-headers.ts'
import type { AppEnv } from './app-env.ts'
import { crossOrigin } from './cross-origin.ts'
import { healthRoute } from './health-route.ts'
import { influxProbes, influxRoute } from './ingest/influx-route.ts'
import { ingestRoute } from './ingest/ingest-route.ts'
import { otlpRoute } from './ingest/otlp-route.ts'
import { docsRoute } from './openapi/docs-route.ts'
import { openApiRoute } from './openapi/openapi-route.ts'
import { Problem, renderProblem, toProblem } from './problem.ts'
import { anomaliesRoute } from './query/anomalies-route.ts'
import { batchesRoute } from './query/batches-route.ts'
import { devicesRoute } from './query/devices-route.ts'
import { metricsRoute } from './query/metrics-route.ts'
import { statusRoute } from './query/status-route.ts'
import { usageRoute } from './query/usage-route.ts'
import { traceRequest } from './trace-request.ts'
import { discardUnread } from './unread-body.ts'
import { requestDeadline } from './within-deadline.ts'

export const app = new Hono<AppEnv>()

app.onError((error, c) => {
  return error instanceof HTTPException ? error.getResponse() : renderProblem(c, toProblem(c, error))
})

app.notFound((c) => {
  const methods = methodsAt(c.req.path)
  if (methods.length === 0) {
    const detail = 'There is nothing at this address; check the path and the id.'
    return renderProblem(c, new Problem('not_found', detail))
  }
  c.header('Allow', methods.join(', '))
  const detail = `${c.req.method} is not served here; see the API reference.`
  return renderProblem(c, new Problem('method_not_allowed', detail))
})

/** The methods that are served at an address, as `Allow` lists them. */
function methodsAt(address: string): string[] {
  const served = app.routes.filter(
    ({ path, method }) => method !== 'ALL' && path !== '/*' && matches(path, address),
  )
  return [...new Set(served.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method])))]
}

/** Whether a route's path, such as `/v1/metrics/:id/windows`, fits an address. */
function matches(route: string, address: string): boolean {
  const parts = address.split('/')
  const routeParts = route.split('/')
  return (
    parts.length === routeParts.length &&
    routeParts.every((part, i) => part === parts[i] || (part.startsWith(':') && parts[i] !== ''))
  )
}

app.use(answerHeaders)
app.use(traceRequest)
app.use('/v1/*', crossOrigin)
app.use(discardUnread)
app.use(requestDeadline)
app.route('/v1/health', healthRoute)
app.route('/v1/ingest', ingestRoute)
app.route('/api/v2', influxRoute)
app.route('/', influxProbes)
app.route('/otlp/v1', otlpRoute)
app.route('/v1/batches', batchesRoute)
app.route('/v1/devices', devicesRoute)
app.route('/v1/metrics', metricsRoute)
app.route('/v1/anomalies', anomaliesRoute)
app.route('/v1/usage', usageRoute)
app.route('/v1/status', statusRoute)
app.route('/v1/alert-rules', rulePreviewRoute)
app.route('/v1/alert-rules', alertRulesRoute)
app.route('/v1/alerts', alertsRoute)
app.route('/v1/webhooks', webhooksRoute)
app.route('/v1', deliveryRoutes)
app.route('/admin', adminRoute)
app.route('/v1/openapi.json', openApiRoute(app))
app.route('/v1/docs', docsRoute)
