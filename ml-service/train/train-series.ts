import { WINDOW_MS, windowStartOf } from '../../telemetry/window.ts'
import { readyAt } from '../baseline/judge-window.ts'
import type { Database } from '../database.ts'
import { windowsOfAggregates } from '../features/read-windows.ts'
import type { Series } from '../metric-lookup.ts'
import { deleteDue, lockMetric } from '../score/due-sql.ts'
import { lastScored } from '../score/scores-sql.ts'
import type { ArtefactStore } from './artefact-store.ts'
import type { ModelRow } from './models-sql.ts'
import { newestArtefacts, prepareArtefact, recordArtefacts } from './recorded-artefacts.ts'
import { artefactOf, startWalk, walkWindow } from './walk.ts'

export interface TrainResult {
  /** Windows learned. */
  windows: number
  /** When there is enough history if windows keep coming: epoch ms, infinite before the first. */
  readyAt: number
  /** Undefined when there are too few windows for a model. */
  model: ModelRow | undefined
  /** Files that nothing names any more, to be removed once the transaction has committed. */
  obsolete: string[]
}

/**
 * Fits the baseline on the windows that ended by `until` and records the artefact. Without `until`, the first
 * artefact ends at the minimum history, so that all that came after is scored at once; later ones end at the
 * newest scored window. Fitting is the same walk as scoring, so it may start from an earlier artefact.
 */
export async function trainSeries(
  db: Database,
  store: ArtefactStore,
  series: Series,
  until?: number,
): Promise<TrainResult> {
  const wasDue = await lockMetric(db, series)
  const result = await fitSeries(db, store, series, until)
  if (!wasDue) await deleteDue(db, series.tenantId, [series.metricId])
  return result
}

async function fitSeries(
  db: Database,
  store: ArtefactStore,
  series: Series,
  until: number | undefined,
): Promise<TrainResult> {
  const end = until === undefined ? Number.POSITIVE_INFINITY : windowStartOf(until)
  const { tenantId, metricId } = series
  const { found, failures } = await newestArtefacts(db, store, tenantId, [{ series, until: end }])
  for (const failure of failures) throw failure
  const recorded = found.get(metricId)?.recorded
  const target =
    until === undefined && recorded
      ? ((await lastScored(db, tenantId, [metricId])).get(metricId) ?? recorded.model.trainedUntil)
      : end
  const walk = startWalk(recorded?.artefact)
  const from = walk.baseline.learnedUntil ?? Number.NEGATIVE_INFINITY
  for await (const read of windowsOfAggregates(db, { ...series, from, to: target - WINDOW_MS + 1 })) {
    walkWindow(walk, read)
    if (until === undefined && recorded === undefined && walk.baseline.readyAfter !== undefined) break
  }
  const { windows, readyAfter } = walk.baseline
  const result = { windows, readyAt: readyAt(walk.baseline) }
  if (readyAfter === undefined) return { ...result, model: undefined, obsolete: [] }
  const prepared = prepareArtefact(artefactOf(walk, series), '.trained.json')
  const obsolete = await recordArtefacts(db, store, tenantId, [prepared])
  return { ...result, model: prepared.model, obsolete }
}
