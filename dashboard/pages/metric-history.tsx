import { useApi } from '../api/api-context.ts'
import type { Metric } from '../api/schemas.ts'
import { useLive } from '../api/use-live.ts'
import { useResource } from '../api/use-resource.ts'
import { MetricCharts } from '../charts/metric-charts.tsx'
import { Loaded } from '../parts/states.tsx'
import { TimeText } from '../parts/time-text.tsx'
import { type MetricRoute, metricHref, parseRoute } from '../route.ts'
import { isMoving, periodLabel, rangeReaching } from '../time-range.ts'
import { replaceRoute } from '../use-route.ts'
import { AnomalySection } from './anomaly-section.tsx'
import { type MetricHistory as History, loadHistory } from './load-history.ts'
import { MetricAlerts } from './metric-alerts.tsx'
import { WindowSection } from './window-section.tsx'

const REFRESH_MS = 30_000
const SETTLED_MS = 250

export interface MetricHistoryProps {
  metric: Metric
  route: MetricRoute
  onRefresh: () => void
}

/** What happened to a metric over a period: loaded whole, then drawn and listed; of a range that moves on, kept up. */
export function MetricHistory({ metric, route, onRefresh }: MetricHistoryProps) {
  const api = useApi()
  const { period } = route
  const key = `${metric.id} ${JSON.stringify(period)}`
  const { resource, reload, refresh } = useResource(key, (read, previous?: History) =>
    loadHistory(api, { metricId: metric.id, period, now: Date.now() }, read, previous),
  )
  const refreshAll = () => {
    refresh()
    onRefresh()
  }
  useLive(refreshAll, REFRESH_MS, isMoving(period))
  return (
    <Loaded resource={resource} reload={reload}>
      {({ span, history, alerts }) =>
        history.length === 0 ? (
          <EmptyPeriod metric={metric} route={route} now={Date.now()} />
        ) : (
          <>
            <MetricCharts
              key={key}
              {...{ history, alerts, span }}
              unit={metric.unit}
              zoom={route.zoom}
              onZoom={rememberZoom}
            />
            <AnomalySection history={history} metric={metric} />
            <MetricAlerts alerts={alerts} />
            <WindowSection history={history} metric={metric} route={route} />
          </>
        )
      }
    </Loaded>
  )
}

let settling: ReturnType<typeof setTimeout> | undefined

/** Puts a zoom into the link once the charts have come to rest, if their page is still shown. */
function rememberZoom(zoom: MetricRoute['zoom']): void {
  clearTimeout(settling)
  settling = setTimeout(() => {
    const route = parseRoute(location.hash)
    if (route.page === 'metric') replaceRoute(metricHref(route.deviceId, route.metricId, { ...route, zoom }))
  }, SETTLED_MS)
}

function EmptyPeriod({ metric, route, now }: { metric: Metric; route: MetricRoute; now: number }) {
  const { last_ts } = metric
  const reaching = last_ts === null ? undefined : rangeReaching(last_ts, now)
  return (
    <div class="card state">
      <p>
        There is no window in {periodLabel(route.period)}.{' '}
        {last_ts !== null && (
          <>
            The last value is of <TimeText time={last_ts} />. A window shows a few minutes after it has
            closed.
          </>
        )}
      </p>
      {reaching && reaching !== route.period && (
        <a href={metricHref(metric.device_id, metric.id, { period: reaching })}>
          Show {periodLabel(reaching)}
        </a>
      )}
    </div>
  )
}
