import { useApi } from '../api/api-context.ts'
import type { Metric } from '../api/schemas.ts'
import { useResource } from '../api/use-resource.ts'
import { MetricScore } from '../parts/metric-score.tsx'
import { PageHeader } from '../parts/page-header.tsx'
import { PeriodPicker } from '../parts/period-picker.tsx'
import { Loaded } from '../parts/states.tsx'
import { TimeText } from '../parts/time-text.tsx'
import { deviceHref, devicesHref, type MetricRoute, metricHref, newRuleHref } from '../route.ts'
import { MetricHistory } from './metric-history.tsx'

/** One metric: what it measured, how anomalous that was, and when. */
export function MetricPage({ route }: { route: MetricRoute }) {
  const { deviceId, metricId, period } = route
  const api = useApi()
  const { resource, reload, refresh } = useResource(metricId, (read) => api.metric(metricId, read))
  const metric = resource.state === 'ready' ? resource.value : undefined
  const crumbs = [
    { label: 'Devices', href: devicesHref() },
    { label: metric?.device ?? 'Device', href: deviceHref(deviceId) },
  ]
  return (
    <>
      <PageHeader title={metric?.name ?? 'Metric'} crumbs={crumbs}>
        {metric && <Facts metric={metric} />}
      </PageHeader>
      <Loaded resource={resource} reload={reload}>
        {(metric) => (
          <>
            <PeriodPicker
              period={period}
              hrefOf={(period) => metricHref(deviceId, metricId, { period, table: route.table })}
            />
            <MetricHistory metric={metric} route={route} onRefresh={refresh} />
          </>
        )}
      </Loaded>
    </>
  )
}

const Facts = ({ metric }: { metric: Metric }) => (
  <dl class="facts">
    <div>
      <dt>Unit</dt>
      <dd>
        <bdi>{metric.unit ?? '–'}</bdi>
      </dd>
    </div>
    <div>
      <dt>Last value</dt>
      <dd>
        <TimeText time={metric.last_ts} />
      </dd>
    </div>
    <div>
      <dt>Last score</dt>
      <dd>
        <MetricScore metric={metric} />
      </dd>
    </div>
    <div>
      <dt>Alerts</dt>
      <dd>
        <a href={newRuleHref(metric.id)}>New rule</a>
      </dd>
    </div>
  </dl>
)
