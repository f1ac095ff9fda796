import { traceIdFromUuid } from '../../telemetry/trace.ts'
import { log } from '../log.ts'
import type { AlertChange } from './evaluate-rules.ts'

/** Tells what became of alerts: for after the commit. */
export function logAlerts(alerts: AlertChange[]): void {
  for (const { change, tenantId, event } of alerts) {
    log('info', change === 'opened' ? 'alert_opened' : 'alert_resolved', {
      ...{ tenant_id: tenantId, metric_id: event.metricId, alert_id: event.id },
      ...(event.traceId !== null && { trace_id: traceIdFromUuid(event.traceId) }),
    })
  }
}
