import { useApi } from '../api/api-context.ts'
import { useResource } from '../api/use-resource.ts'
import { PageHeader } from '../parts/page-header.tsx'
import { RangePicker } from '../parts/range-picker.tsx'
import { ScoreText } from '../parts/score-text.tsx'
import { ErrorNote, Loading } from '../parts/states.tsx'
import { TimeText } from '../parts/time-text.tsx'
import { deviceHref, devicesHref } from '../route.ts'
import type { RangeName } from '../time-range.ts'
import { MetricHistory } from './metric-history.tsx'

export interface MetricPageProps {
  deviceId: string
  metricId: string
  range: RangeName
}

/** One metric: what it measured, how anomalous that was, and when. */
export function MetricPage({ deviceId, metricId, range }: MetricPageProps) {
  const api = useApi()
  const { resource, reload } = useResource(metricId, (read) => api.metric(deviceId, metricId, read))
  const metric = resource.state === 'ready' ? resource.value : undefined
  const crumbs = [
    { label: 'Devices', href: devicesHref() },
    { label: metric?.device ?? 'Device', href: deviceHref(deviceId) },
  ]
  return (
    <>
      <PageHeader title={metric?.name ?? 'Metric'} crumbs={crumbs}>
        {metric && (
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
                <ScoreText score={metric.last_score} />
              </dd>
            </div>
          </dl>
        )}
      </PageHeader>
      {resource.state === 'loading' && <Loading />}
      {resource.state === 'error' && <ErrorNote error={resource.error} retry={reload} />}
      {metric && (
        <>
          <RangePicker deviceId={deviceId} metricId={metricId} range={range} />
          <MetricHistory metric={metric} range={range} />
        </>
      )}
    </>
  )
}
