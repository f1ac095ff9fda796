import { useApi } from '../api/api-context.ts'
import type { TopAnomaly } from '../api/schemas.ts'
import { useResource } from '../api/use-resource.ts'
import { counted, formatTime } from '../format.ts'
import { MetricName } from '../parts/metric-name.tsx'
import { ScoreText } from '../parts/score-text.tsx'
import { Sparkline } from '../parts/sparkline.tsx'
import { TimeText } from '../parts/time-text.tsx'
import { metricHref } from '../route.ts'

const HALF_DAY_MS = 12 * 3_600_000

export interface TopAnomaliesProps {
  anomalies: TopAnomaly[]
  lastScored: number | null
}

/** The metrics that were most unusual in the last 24 hours, each with its day as a line and the reason in words. */
export function TopAnomalies({ anomalies, lastScored }: TopAnomaliesProps) {
  return (
    <section aria-labelledby="top">
      <h2 id="top">Most unusual in the last 24 hours</h2>
      {anomalies.length === 0 ? (
        // No score must never read as "all is well".
        <p class="card state">
          {lastScored === null
            ? 'No window has been scored yet: a metric first learns what is usual.'
            : 'No window that was scored is anomalous.'}
        </p>
      ) : (
        <ol class="top-anomalies">
          {anomalies.map((anomaly) => (
            <li key={anomaly.metric_id} class="card">
              <TopRow anomaly={anomaly} />
            </li>
          ))}
        </ol>
      )}
    </section>
  )
}

function TopRow({ anomaly }: { anomaly: TopAnomaly }) {
  const { device_id, metric_id, device, metric, window_start, score, reasons, anomalous_windows } = anomaly
  return (
    <>
      <p class="top-name">
        <a href={metricHref(device_id, metric_id, { period: '24h' })}>
          <MetricName device={device} name={metric} />
        </a>
        <ScoreText score={score} />
      </p>
      <p class="top-reason">{reasons[0] ?? 'No reason was stored.'}</p>
      <p class="note">
        <TimeText time={window_start} />
        {anomalous_windows > 1 && `, ${counted(anomalous_windows, 'anomalous window')}`}
      </p>
      <DayLine anomaly={anomaly} />
    </>
  )
}

/** Read after the page stands; a line that cannot be read is left out. */
function DayLine({ anomaly }: { anomaly: TopAnomaly }) {
  const api = useApi()
  const { metric_id, device, metric, window_start } = anomaly
  const { resource } = useResource(`${metric_id} ${window_start}`, (read) => {
    const span = { from: window_start - HALF_DAY_MS, to: Math.min(Date.now(), window_start + HALF_DAY_MS) }
    return api.windows(metric_id, span, read)
  })
  if (resource.state !== 'ready' || resource.value.length < 2) return <div class="sparkline" />
  const points = resource.value.map((window) => ({ time: window.window_start, value: window.median }))
  const label = `Medians of ${device} ${metric} around ${formatTime(window_start)}`
  return <Sparkline points={points} mark={window_start} label={label} />
}
