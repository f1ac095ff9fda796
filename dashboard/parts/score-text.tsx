import { formatScore } from '../format.ts'
import { SCORE_THRESHOLD } from '../score-threshold.ts'

/** A score; an anomalous one is marked by shape and word as well as by colour. */
export function ScoreText({ score }: { score: number | null }) {
  if (score === null) return <>–</>
  if (score < SCORE_THRESHOLD) return <>{formatScore(score)}</>
  return (
    <strong class="anomalous">
      {formatScore(score)}
      <span class="visually-hidden"> anomalous</span>
    </strong>
  )
}
