import type { Anomaly } from '../api/schemas.ts'
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
export function AnomalySection({ history, unit }: { history: HistoryEntry[]; unit: string | null }) {
  const scored = history.flatMap(({ anomaly }) => anomaly ?? [])
  const anomalous = scored.filter(({ score }) => score >= SCORE_THRESHOLD).reverse()
  return (
    <section aria-labelledby="anomalies">
      <h2 id="anomalies">Anomalies{anomalous.length > 0 && ` (${formatCount(anomalous.length)})`}</h2>
      <LearningNote scored={scored} />
      {anomalous.length > 0 ? (
        <GrowingTable
          caption="Anomalous windows, newest first"
          columns={columnsFor(unit)}
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

function LearningNote({ scored }: { scored: Anomaly[] }) {
  const learning = scored.filter(({ state }) => state === 'learning').length
  if (learning === 0) return null
  const newest = scored.at(-1)
  const still = newest?.state === 'learning'
  return (
    <p class="note">
      <span class="pill learning">learning</span>{' '}
      {still ? 'This metric is still learning what is normal' : 'This metric was learning at first'}:{' '}
      {formatCount(learning)} of {formatCount(scored.length)} windows here have no score.
      {still && newest.ready_at != null && (
        <>
          {' '}
          It will be ready at about <TimeText time={newest.ready_at} />.
        </>
      )}
    </p>
  )
}
