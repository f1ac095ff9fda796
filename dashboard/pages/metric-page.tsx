import { useApi } from '../api/api-context.ts'
import type { Metric } from '../api/schemas.ts'
import { useResource } from '../api/use-resource.ts'
import { PageHeader } from '../parts/page-header.tsx'
import { PeriodPicker } from '../parts/period-picker.tsx'
import { ScoreText } from '../parts/score-text.tsx'
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

const Facts = ({ metric: { id, unit, last_ts, last_score } }: { metric: Metric }) => (
  <dl class="facts">
    <div>
      <dt>Unit</dt>
      <dd>
        <bdi>{unit ?? '–'}</bdi>
      </dd>
    </div>
    <div>
      <dt>Last value</dt>
      <dd>
        <TimeText time={last_ts} />
      </dd>
    </div>
    <div>
      <dt>Last score</dt>
      <dd>
        <ScoreText score={last_score} />
      </dd>
    </div>
    <div>
      <dt>Alerts</dt>
      <dd>
        <a href={newRuleHref(id)}>New rule</a>
      </dd>
    </div>
  </dl>
)
