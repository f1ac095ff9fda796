import { WINDOW_MS } from '../../telemetry/window.ts'
import { deviationOf } from '../alerts/deviation.ts'
import { type JudgedWindow, startEvaluation } from '../alerts/evaluate-rules.ts'
import type { Database } from '../database.ts'
import { windowsOfAggregates } from '../features/read-windows.ts'
import type { Series } from '../metric-lookup.ts'
import { ArtefactKeeper } from '../train/artefact-keeper.ts'
import type { ArtefactStore } from '../train/artefact-store.ts'
import { newestArtefact } from '../train/recorded-artefacts.ts'
import { isCheckpoint, startWalk, walkWindow } from '../train/walk.ts'
import { countWindowsScored, deleteDue, lastScored, lockMetric, upsertScores } from './scores-sql.ts'

/** Verdicts held before they are written: bounds memory on a long walk. */
const CHUNK = 2000

export interface ScoreDeps {
  store: ArtefactStore
  now: number
}

export interface ScoreSummary {
  /** Windows that had no score before. */
  scored: number
  /** Windows whose score changed. */
  rescored: number
  anomalous: number
  opened: number
  resolved: number
}

/**
 * Scores what is new or has changed in one metric, within the caller's transaction: scores, artefacts,
 * alerts, deliveries, the usage counter and the due row stand or fall together. Walks forward from the newest
 * artefact that still holds; everything it writes is a function of that artefact and the windows since.
 * `within` limits what is written to `from <= window_end < to` and leaves artefacts and the due row alone;
 * windows are scored in order, so `from` never skips one that has no score yet.
 * Returns the summary and what to clean up after the commit.
 */
export async function scoreSeries(
  db: Database,
  { store, now }: ScoreDeps,
  series: Series,
  within?: { from: number; to: number },
): Promise<{ summary: ScoreSummary; cleanUp: () => Promise<void> }> {
  await lockMetric(db, series)
  const scoredUntil = (await lastScored(db, series)) ?? Number.NEGATIVE_INFINITY
  const to = within?.to ?? Number.POSITIVE_INFINITY
  const from = Math.min(within?.from ?? Number.NEGATIVE_INFINITY, scoredUntil + 1)
  const found = await newestArtefact(db, store, series, within ? from : scoredUntil)
  const rules = await startEvaluation(db, series, scoredUntil, now)
  const walk = startWalk(found.recorded?.artefact)
  const keeper = new ArtefactKeeper(series, found)
  const summary: ScoreSummary = { scored: 0, rescored: 0, anomalous: 0, opened: 0, resolved: 0 }

  async function flush(verdicts: JudgedWindow[]): Promise<void> {
    if (verdicts.length === 0) return
    const rows = verdicts.map((verdict) => ({ ...verdict, modelId: keeper.modelOf(verdict) }))
    const { inserted, updated } = await upsertScores(db, series, rows, now)
    summary.scored += inserted
    summary.rescored += updated
    summary.anomalous += verdicts.filter(({ score }) => score >= 1).length
    await rules.judge(verdicts)
  }

  let verdicts: JudgedWindow[] = []
  const range = {
    ...series,
    from: walk.baseline.learnedUntil ?? Number.NEGATIVE_INFINITY,
    to: to - WINDOW_MS,
  }
  for await (const read of windowsOfAggregates(db, range)) {
    const verdict = walkWindow(walk, read)
    if (verdict.windowEnd >= from) {
      verdicts.push({ ...verdict, deviation: deviationOf(read.window, verdict.expected) })
    }
    if (within === undefined && isCheckpoint(walk)) keeper.keep(walk)
    if (verdicts.length < CHUNK) continue
    await flush(verdicts)
    verdicts = []
  }
  await flush(verdicts)
  Object.assign(summary, await rules.finish())
  const obsolete = within === undefined ? await keeper.store(db, store) : []
  if (within === undefined) await deleteDue(db, series)
  if (summary.scored > 0) await countWindowsScored(db, series.tenantId, summary.scored, now)
  return { summary, cleanUp: () => removeAll(store, obsolete) }
}

async function removeAll(store: ArtefactStore, paths: string[]): Promise<void> {
  for (const artefactPath of paths) await store.remove(artefactPath)
}
