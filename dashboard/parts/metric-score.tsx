import type { Metric } from '../api/schemas.ts'
import { ScoreText } from './score-text.tsx'
import { TimeText } from './time-text.tsx'

/** A metric's newest score, or that it is learning and until when: a score of 0 would read as "all is well". */
export function MetricScore({ metric: { last_score, state, ready_at } }: { metric: Metric }) {
  if (state !== 'learning') return <ScoreText score={last_score} />
  return (
    <>
      <span class="pill learning">learning</span>
      {ready_at !== null && (
        <>
          {' '}
          until <TimeText time={ready_at} />
        </>
      )}
    </>
  )
}
