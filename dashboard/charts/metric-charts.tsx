import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { Alert } from '../api/schemas.ts'
import { formatCount, formatNumber, formatTime } from '../format.ts'
import { SCORE_THRESHOLD } from '../score-threshold.ts'
import type { TimeSpan } from '../time-range.ts'
import { useChartColours } from './chart-colours.ts'
import { chartColumns } from './chart-columns.ts'
import { ChartTools, keyMoves } from './chart-tools.tsx'
import type { HistoryEntry } from './history.ts'
import { learningSpans } from './learning-spans.ts'
import type { Overlay } from './overlay.ts'
import { Plot } from './plot.tsx'
import { Readout } from './readout.tsx'
import { scoreData, scoreOptions } from './score-options.ts'
import { createTimeAxis } from './time-axis.ts'
import { valueData, valueOptions } from './value-options.ts'

export interface MetricChartsProps {
  history: HistoryEntry[]
  alerts: Alert[]
  span: TimeSpan
  unit: string | null
  /** What of the span is shown at first; undefined: all. */
  zoom: TimeSpan | undefined
  onZoom: (shown: TimeSpan | undefined) => void
}

/** Values above, scores below, on one time axis. */
export function MetricCharts({ history, alerts, span, unit, zoom, onZoom }: MetricChartsProps) {
  const colours = useChartColours()
  const [hovered, setHovered] = useState<number | null>(null)
  const zoomed = useRef(onZoom)
  zoomed.current = onZoom
  const axis = useMemo(() => createTimeAxis(span, zoom, (shown) => zoomed.current(shown)), [])
  useEffect(() => axis.setWhole(span), [span])

  const columns = useMemo(() => chartColumns(history), [history])
  const data = useMemo(() => ({ value: valueData(columns), score: scoreData(columns) }), [columns])
  const learning = useMemo(() => learningSpans(history), [history])
  const overlay = useRef<Overlay>({ learning, alerts: [] })
  overlay.current = { learning, alerts: alerts.flatMap(({ window_end }) => window_end ?? []) }
  const options = useMemo(() => {
    const context = { colours, axis, overlay: () => overlay.current, onHover: setHovered }
    return { value: valueOptions(context), score: scoreOptions(context) }
  }, [colours, axis])

  const shown = (hovered === null ? undefined : columns.entries[hovered]) ?? history.at(-1)
  return (
    <figure class="card charts" onKeyDown={(event) => keyMoves(event, axis)}>
      <figcaption>
        <Readout entry={shown} newest={hovered === null} unit={unit} />
      </figcaption>
      <Plot
        {...{ options: options.value, data: data.value, axis }}
        class="plot-value"
        label={valueLabel(history, alerts, unit)}
      />
      <ul class="chart-key">
        <li class="key-median">median</li>
        <li class="key-band">least to greatest</li>
        <li class="key-expected">expected range</li>
        <li class="key-anomalous">anomalous</li>
        {alerts.length > 0 && <li class="key-alert">alert</li>}
      </ul>
      <Plot
        {...{ options: options.score, data: data.score, axis }}
        class="plot-score"
        label={scoreLabel(history)}
      />
      <ul class="chart-key">
        <li class="key-score">score</li>
        <li class="key-threshold">threshold {formatNumber(SCORE_THRESHOLD)}</li>
        {learning.length > 0 && <li class="key-learning">learning</li>}
      </ul>
      <ChartTools axis={axis} />
    </figure>
  )
}

function valueLabel(history: HistoryEntry[], alerts: Alert[], unit: string | null): string {
  const windows = history.flatMap(({ window }) => window ?? [])
  if (windows.length === 0) return 'Chart of values: none.'
  const least = windows.reduce((value, { min }) => Math.min(value, min), Number.POSITIVE_INFINITY)
  const greatest = windows.reduce((value, { max }) => Math.max(value, max), Number.NEGATIVE_INFINITY)
  const span = `${formatTime(windows[0]!.window_start)} to ${formatTime(windows.at(-1)!.window_end)}`
  const values = `${formatNumber(least)} to ${formatNumber(greatest)} ${unit ?? ''}`.trim()
  const marks = alerts.length > 0 ? `, alerts: ${formatCount(alerts.length)}` : ''
  return `Chart of values: ${formatCount(windows.length)} windows, ${span}, values ${values}${marks}.`
}

function scoreLabel(history: HistoryEntry[]): string {
  const scores = history.flatMap(({ anomaly }) => anomaly?.score ?? [])
  const anomalous = scores.filter((score) => score >= SCORE_THRESHOLD).length
  return `Chart of anomaly scores: ${formatCount(anomalous)} of ${formatCount(scores.length)} windows anomalous.`
}
