import { useApi } from '../api/api-context.ts'
import type { Metric } from '../api/schemas.ts'
import { useResource } from '../api/use-resource.ts'
import { historyOf } from '../charts/history.ts'
import { MetricCharts } from '../charts/metric-charts.tsx'
import { ErrorNote, Loading } from '../parts/states.tsx'
import { TimeText } from '../parts/time-text.tsx'
import { metricHref } from '../route.ts'
import { type RangeName, rangeOf, rangeReaching, spanOf } from '../time-range.ts'
import { AnomalySection } from './anomaly-section.tsx'
import { WindowSection } from './window-section.tsx'

/** What happened to a metric over a range: loaded whole, then drawn and listed. */
export function MetricHistory({ metric, range }: { metric: Metric; range: RangeName }) {
  const api = useApi()
  const { resource, reload } = useResource(`${metric.id} ${range}`, async (read) => {
    const span = spanOf(range, Date.now())
    const [windows, anomalies] = await Promise.all([
      api.windows(metric.id, span, read),
      // The windows alone count as progress: two counters would jump to and fro.
      api.anomalies(metric.id, span, { ...read, onProgress: () => {} }),
    ])
    return { span, history: historyOf(windows, anomalies) }
  })

  if (resource.state === 'loading') return <Loading progress={resource.progress} />
  if (resource.state === 'error') return <ErrorNote error={resource.error} retry={reload} />
  const { span, history } = resource.value
  if (history.length === 0) return <EmptyRange metric={metric} range={range} now={span.to} />
  return (
    <>
      <MetricCharts history={history} span={span} unit={metric.unit} />
      <AnomalySection history={history} unit={metric.unit} />
      <WindowSection history={history} unit={metric.unit} />
    </>
  )
}

function EmptyRange({ metric, range, now }: { metric: Metric; range: RangeName; now: number }) {
  const { last_ts } = metric
  const reaching = last_ts === null ? undefined : rangeReaching(last_ts, now)
  return (
    <div class="card state">
      <p>
        There is no window in the last {rangeOf(range).label}.{' '}
        {last_ts !== null && (
          <>
            The last value is of <TimeText time={last_ts} />. A window shows a few minutes after it has
            closed.
          </>
        )}
      </p>
      {reaching && reaching !== range && (
        <a href={metricHref(metric.device_id, metric.id, reaching)}>Show {rangeOf(reaching).label}</a>
      )}
    </div>
  )
}
