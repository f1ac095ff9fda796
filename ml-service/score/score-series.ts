import type { Database } from '../database.ts'
import type { Series } from '../metric-lookup.ts'
import { deleteDue, lockMetric } from './due-sql.ts'
import { type ChunkResult, type ScoreDeps, type ScoreSummary, scoreChunk } from './score-chunk.ts'

/**
 * Scores one metric to the end of its windows, or those of `within`, as scoreChunk does. Returns the summary, what
 * became of alerts, and what to clean up after the commit.
 */
export async function scoreSeries(
  db: Database,
  deps: ScoreDeps,
  series: Series,
  within?: { from: number; to: number },
): Promise<{ summary: ScoreSummary } & Pick<ChunkResult, 'alerts' | 'cleanUp'>> {
  const wasDue = await lockMetric(db, series)
  const result = await scoreChunk(db, deps, [series], { oneRound: false, within })
  const [metric] = result.metrics
  if (metric === undefined) throw result.failures[0] ?? new Error('The metric was not scored.')
  if (within !== undefined && !wasDue) await deleteDue(db, series.tenantId, [series.metricId])
  return { summary: metric.summary, alerts: result.alerts, cleanUp: result.cleanUp }
}
