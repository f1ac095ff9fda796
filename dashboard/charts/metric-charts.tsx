import { useMemo, useState } from 'preact/hooks'
import { formatNumber, formatTime } from '../format.ts'
import { SCORE_THRESHOLD } from '../score-threshold.ts'
import type { TimeSpan } from '../time-range.ts'
import { useChartColours } from './chart-colours.ts'
import { chartColumns } from './chart-columns.ts'
import type { HistoryEntry } from './history.ts'
import { learningSpans } from './learning-spans.ts'
import { Plot } from './plot.tsx'
import { Readout } from './readout.tsx'
import { scoreData, scoreOptions } from './score-options.ts'
import { valueData, valueOptions } from './value-options.ts'

export interface MetricChartsProps {
  history: HistoryEntry[]
  span: TimeSpan
  unit: string | null
}

/** Values above, scores below, on one time axis. */
export function MetricCharts({ history, span, unit }: MetricChartsProps) {
  const colours = useChartColours()
  const [hovered, setHovered] = useState<number | null>(null)
  const columns = useMemo(() => chartColumns(history), [history])
  const learning = useMemo(() => learningSpans(history), [history])
  const plots = useMemo(() => {
    const context = { colours, span, onHover: setHovered }
    return {
      value: { options: valueOptions(context), data: valueData(columns) },
      score: { options: scoreOptions(context, learning), data: scoreData(columns) },
    }
  }, [colours, columns, learning, span])
  const shown = (hovered === null ? undefined : columns.entries[hovered]) ?? history.at(-1)
  return (
    <figure class="card charts">
      <figcaption>
        <Readout entry={shown} newest={hovered === null} unit={unit} />
      </figcaption>
      <Plot {...plots.value} class="plot-value" label={valueLabel(history, unit)} />
      <ul class="chart-key">
        <li class="key-median">median</li>
        <li class="key-band">least to greatest</li>
        <li class="key-expected">expected range</li>
        <li class="key-anomalous">anomalous</li>
      </ul>
      <Plot {...plots.score} class="plot-score" label={scoreLabel(history)} />
      <ul class="chart-key">
        <li class="key-score">score</li>
        <li class="key-threshold">threshold {formatNumber(SCORE_THRESHOLD)}</li>
        {learning.length > 0 && <li class="key-learning">learning</li>}
      </ul>
    </figure>
  )
}

function valueLabel(history: HistoryEntry[], unit: string | null): string {
  const windows = history.flatMap(({ window }) => window ?? [])
  if (windows.length === 0) return 'Chart of values: none.'
  const least = windows.reduce((value, { min }) => Math.min(value, min), Number.POSITIVE_INFINITY)
  const greatest = windows.reduce((value, { max }) => Math.max(value, max), Number.NEGATIVE_INFINITY)
  const span = `${formatTime(windows[0]!.window_start)} to ${formatTime(windows.at(-1)!.window_end)}`
  const values = `${formatNumber(least)} to ${formatNumber(greatest)} ${unit ?? ''}`.trim()
  return `Chart of values: ${formatNumber(windows.length)} windows, ${span}, values ${values}.`
}

function scoreLabel(history: HistoryEntry[]): string {
  const scores = history.flatMap(({ anomaly }) => anomaly?.score ?? [])
  const anomalous = scores.filter((score) => score >= SCORE_THRESHOLD).length
  return `Chart of anomaly scores: ${formatNumber(anomalous)} of ${formatNumber(scores.length)} windows anomalous.`
}
