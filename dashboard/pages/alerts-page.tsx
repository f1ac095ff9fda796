import type { Api } from '../api/api.ts'
import { useApi } from '../api/api-context.ts'
import type { ReadOptions } from '../api/request.ts'
import { useLive } from '../api/use-live.ts'
import { useResource } from '../api/use-resource.ts'
import { PageHeader } from '../parts/page-header.tsx'
import { PeriodPicker } from '../parts/period-picker.tsx'
import { Loaded } from '../parts/states.tsx'
import { type AlertsRoute, alertsHref, newRuleHref } from '../route.ts'
import { periodLabel, spanOf } from '../time-range.ts'
import { AlertTable } from './alert-table.tsx'
import { RuleTable } from './rule-table.tsx'

const REFRESH_MS = 30_000

/** What rules have raised, and the rules themselves. */
export function AlertsPage({ route }: { route: AlertsRoute }) {
  const api = useApi()
  const { resource, reload, refresh } = useResource(alertsHref(route), (read) => loadAlerts(api, route, read))
  useLive(refresh, REFRESH_MS)
  return (
    <>
      <PageHeader title="Alerts" />
      <PeriodPicker period={route.period} hrefOf={(period) => alertsHref({ ...route, period })} />
      <nav aria-label="Which alerts" class="ranges">
        <a href={alertsHref({ ...route, open: false })} aria-current={route.open ? undefined : 'true'}>
          All
        </a>
        <a href={alertsHref({ ...route, open: true })} aria-current={route.open ? 'true' : undefined}>
          Open
        </a>
      </nav>
      <Loaded resource={resource} reload={reload}>
        {({ alerts, rules, metrics, devices }) => (
          <>
            {alerts.length === 0 ? (
              <p class="card state">
                {route.open ? 'No alert is open' : 'No alert was raised'} in {periodLabel(route.period)}.
              </p>
            ) : (
              <AlertTable alerts={alerts} rules={rules} metrics={metrics} onChange={refresh} />
            )}
            <div class="table-head">
              <h2>Rules</h2>
              <a class="button" href={newRuleHref()}>
                New rule
              </a>
            </div>
            <RuleTable rules={rules} metrics={metrics} devices={devices} onChange={refresh} />
          </>
        )}
      </Loaded>
    </>
  )
}

/** Alerts, newest first, with the rules, and the metrics and devices that they name. */
async function loadAlerts(api: Api, { period, open }: AlertsRoute, read: ReadOptions) {
  const [alerts, rules] = await Promise.all([
    api.alerts(spanOf(period, Date.now()), open ? { state: 'open' } : {}, read),
    api.rules(read),
  ])
  const metricIds = new Set([...alerts, ...rules].flatMap(({ metric_id }) => metric_id ?? []))
  const deviceIds = new Set(rules.flatMap(({ device_id }) => device_id ?? []))
  const [metrics, devices] = await Promise.all([
    api.metricsById([...metricIds], read),
    api.devicesById([...deviceIds], read),
  ])
  return { alerts: alerts.reverse(), rules, metrics: byId(metrics), devices: byId(devices) }
}

const byId = <Row extends { id: string }>(rows: Row[]) => new Map(rows.map((row) => [row.id, row]))
