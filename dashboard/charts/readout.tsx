import { formatExpected, formatNumber, formatValue } from '../format.ts'
import { ScoreText } from '../parts/score-text.tsx'
import { TimeText } from '../parts/time-text.tsx'
import type { HistoryEntry } from './history.ts'

export interface ReadoutProps {
  entry: HistoryEntry | undefined
  /** True while nothing is pointed at and the newest window is shown. */
  newest: boolean
  unit: string | null
}

/** The window under the pointer in numbers; the newest one until then. */
export function Readout({ entry, newest, unit }: ReadoutProps) {
  if (!entry) return null
  const { window, anomaly, windowStart } = entry
  return (
    <dl class="readout">
      <div>
        <dt>{newest ? 'Newest window' : 'Window'}</dt>
        <dd>
          <TimeText time={windowStart} />
        </dd>
      </div>
      <div>
        <dt>Median</dt>
        <dd>{window ? formatValue(window.median, unit) : '–'}</dd>
      </div>
      <div>
        <dt>Least to greatest</dt>
        <dd>{window ? `${formatNumber(window.min)} – ${formatNumber(window.max)}` : '–'}</dd>
      </div>
      <div>
        <dt>Expected</dt>
        <dd>{formatExpected(anomaly?.expected ?? null)}</dd>
      </div>
      <div>
        <dt>Score</dt>
        <dd>{anomaly?.state === 'learning' ? 'learning' : <ScoreText score={anomaly?.score ?? null} />}</dd>
      </div>
    </dl>
  )
}
