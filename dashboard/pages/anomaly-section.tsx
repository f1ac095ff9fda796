import type { Anomaly, Metric } from '../api/schemas.ts'
import type { HistoryEntry } from '../charts/history.ts'
import { formatCount, formatExpected } from '../format.ts'
import type { Column } from '../parts/data-table.tsx'
import { GrowingTable } from '../parts/growing-table.tsx'
import { ScoreText } from '../parts/score-text.tsx'
import { TimeText } from '../parts/time-text.tsx'
import { SCORE_THRESHOLD } from '../score-threshold.ts'

const columnsFor = (unit: string | null): Column<Anomaly>[] => [
  { head: 'Window', cell: ({ window_start }) => <TimeText time={window_start} /> },
  { head: 'Score', cell: ({ score }) => <ScoreText score={score} />, numeric: true },
  { head: 'State', cell: ({ state }) => <span class={`pill ${state}`}>{state}</span> },
  { head: 'Reasons', cell: ({ reasons }) => (reasons.length > 0 ? reasons.join('; ') : '–') },
  {
    head: unit === null ? 'Expected' : `Expected (${unit})`,
    cell: ({ expected }) => formatExpected(expected),
    numeric: true,
  },
]

/** The anomalous windows of a history, newest first. */
export function AnomalySection({ history, metric }: { history: HistoryEntry[]; metric: Metric }) {
  const scored = history.flatMap(({ anomaly }) => anomaly ?? [])
  const anomalous = scored.filter(({ score }) => score >= SCORE_THRESHOLD).reverse()
  return (
    <section aria-labelledby="anomalies">
      <h2 id="anomalies">Anomalies{anomalous.length > 0 && ` (${formatCount(anomalous.length)})`}</h2>
      <LearningNote metric={metric} scored={scored} />
      {anomalous.length > 0 ? (
        <GrowingTable
          caption="Anomalous windows, newest first"
          columns={columnsFor(metric.unit)}
          rows={anomalous}
          rowKey={({ window_start }) => window_start}
          step={10}
        />
      ) : (
        <p class="card state">{emptySentence(scored)}</p>
      )}
    </section>
  )
}

/** No score must never read as "all is well". */
function emptySentence(scored: Anomaly[]): string {
  if (scored.length === 0) return 'No window of this range has been scored yet.'
  if (scored.every(({ state }) => state === 'learning')) return 'Nothing can be said about this range yet.'
  return 'No scored window of this range is anomalous.'
}

/** Whether it is learning now is the metric's to say: the windows shown may be of long ago. */
function LearningNote({ metric: { state, ready_at }, scored }: { metric: Metric; scored: Anomaly[] }) {
  const learning = scored.filter((window) => window.state === 'learning').length
  if (learning === 0) return null
  const still = state === 'learning'
  return (
    <p class="note">
      <span class="pill learning">learning</span>{' '}
      {still ? 'This metric is still learning what is normal' : 'This metric was learning at first'}:{' '}
      {formatCount(learning)} of {formatCount(scored.length)} windows here have no score.
      {still && (ready_at === null ? <> It goes on with the next data.</> : <ReadyNote time={ready_at} />)}
    </p>
  )
}

const ReadyNote = ({ time }: { time: number }) => (
  <>
    {' '}
    Learning until about <TimeText time={time} />, if data keep coming.
  </>
)
