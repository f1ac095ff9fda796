import { WINDOW_MS } from '../../telemetry/window.ts'
import { deviationOf } from '../alerts/deviation.ts'
import {
  type AlertChange,
  type JudgedWindow,
  type RuleEvaluation,
  startEvaluation,
} from '../alerts/evaluate-rules.ts'
import { readyAt } from '../baseline/judge-window.ts'
import type { Database } from '../database.ts'
import { type MetricWindows, readChunk } from '../features/read-chunk.ts'
import { MetricError } from '../metric-error.ts'
import type { Series } from '../metric-lookup.ts'
import { ArtefactKeeper } from '../train/artefact-keeper.ts'
import type { ArtefactStore } from '../train/artefact-store.ts'
import { deleteModels } from '../train/models-sql.ts'
import { newestArtefacts, recordArtefacts, removeArtefacts } from '../train/recorded-artefacts.ts'
import { startWalk, type Walk, walkWindow } from '../train/walk.ts'
import { correctMarked } from './correct-windows.ts'
import { deleteDue } from './due-sql.ts'
import { countWindowsScored, insertScores, lastScored, type ScoreRow, upsertScores } from './scores-sql.ts'

/** Windows in memory at once, whatever the number of metrics: what bounds a round's memory and its time. */
const ROUND_WINDOWS = 60_000
/** Of one metric in a round, at least: more than two checkpoints, so that every round gets on. */
const LEAST_WINDOWS = 600

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

/** Where a metric stands within the transaction that scores it. */
interface MetricRun {
  series: Series
  /** End of the newest window that had a score before this run. */
  scoredUntil: number
  /** Verdicts on windows that end before are not written. */
  from: number
  walk: Walk
  keeper: ArtefactKeeper
  /** Whether the artefacts that the walk passes are stored. */
  keeping: boolean
  summary: ScoreSummary
  finished: boolean
}

interface ChunkRun {
  db: Database
  deps: ScoreDeps
  tenantId: string
  runs: MetricRun[]
  rules: RuleEvaluation
  /** End of the windows to score, exclusive. */
  to: number
}

export interface ChunkResult {
  metrics: { series: Series; summary: ScoreSummary; finished: boolean }[]
  /** Metrics that were left out, nothing of them written. */
  failures: MetricError[]
  alerts: AlertChange[]
  /** Removes what nothing names any more: for after the commit. */
  cleanUp: () => Promise<void>
}

/**
 * Scores what is new or has changed in metrics of one tenant, within the caller's transaction, which holds
 * them: scores, artefacts, alerts, deliveries, the usage counter and the due rows stand or fall together. Each
 * walks forward from its newest artefact that still holds; everything written is a function of that artefact
 * and the windows since. With `oneRound` it stops after some ten thousand windows, and metrics with more stay due.
 * `within` limits what is written to `from <= window_end < to` and leaves artefacts and due rows alone; windows
 * are scored in order, so `from` never skips one that has no score yet.
 * Throws a MetricError where one metric cannot be scored, for the caller to begin anew without it.
 */
export async function scoreChunk(
  db: Database,
  deps: ScoreDeps,
  metrics: Series[],
  options: { oneRound: boolean; roundWindows?: number; within?: { from: number; to: number } | undefined },
): Promise<ChunkResult> {
  const { within, oneRound, roundWindows = ROUND_WINDOWS } = options
  const { chunk, failures } = await startChunk(db, deps, metrics, within)
  // Where nothing is kept yet, the next transaction would begin at the beginning again.
  const goesOn = ({ finished, keeper }: MetricRun) => !finished && !(oneRound && keeper.hasArtefact)
  for (let open = chunk.runs; open.length > 0; open = open.filter(goesOn)) {
    await scoreRound(chunk, open, Math.max(LEAST_WINDOWS, Math.floor(roundWindows / open.length)))
  }
  await chunk.rules.finish()
  const obsolete = within === undefined ? await settleArtefacts(chunk) : []
  const finished = chunk.runs.filter((run) => run.finished).map(({ series }) => series.metricId)
  if (within === undefined) await deleteDue(db, chunk.tenantId, finished)
  const scored = chunk.runs.reduce((sum, { summary }) => sum + summary.scored, 0)
  if (scored > 0) await countWindowsScored(db, chunk.tenantId, scored, deps.now)
  return {
    metrics: chunk.runs,
    failures,
    alerts: chunk.rules.alerts,
    cleanUp: () => removeArtefacts(deps.store, obsolete),
  }
}

async function startChunk(
  db: Database,
  deps: ScoreDeps,
  metrics: Series[],
  within: { from: number; to: number } | undefined,
): Promise<{ chunk: ChunkRun; failures: MetricError[] }> {
  const tenantId = metrics[0]!.tenantId
  const ids = metrics.map(({ metricId }) => metricId)
  await correctMarked(db, tenantId, metrics)
  const last = await lastScored(db, tenantId, ids)
  const wanted = metrics.map((series) => {
    const scoredUntil = last.get(series.metricId) ?? Number.NEGATIVE_INFINITY
    const from = Math.min(within?.from ?? Number.NEGATIVE_INFINITY, scoredUntil + 1)
    return { series, scoredUntil, from, until: within ? from : scoredUntil }
  })
  const { found, failures } = await newestArtefacts(db, deps.store, tenantId, wanted)
  const possible = wanted.filter(({ series }) => found.has(series.metricId))
  const rules = await startEvaluation(db, tenantId, possible, deps.now)
  const runs = possible.map(({ series, scoredUntil, from }): MetricRun => {
    const artefacts = found.get(series.metricId)!
    const walk = startWalk(artefacts.recorded?.artefact)
    const summary = { scored: 0, rescored: 0, anomalous: 0, opened: 0, resolved: 0 }
    const keeper = new ArtefactKeeper(series, artefacts, walk)
    return {
      series,
      scoredUntil,
      from,
      walk,
      keeper,
      keeping: within === undefined,
      summary,
      finished: false,
    }
  })
  const to = within?.to ?? Number.POSITIVE_INFINITY
  return { chunk: { db, deps, tenantId, runs, rules, to }, failures }
}

/** Reads the next windows of every metric at once, walks over them, and writes what came out at once. */
async function scoreRound(
  { db, deps, tenantId, rules, to }: ChunkRun,
  open: MetricRun[],
  limit: number,
): Promise<void> {
  const ranges = open.map(({ series, walk }) => ({
    metricId: series.metricId,
    from: walk.baseline.learnedUntil ?? Number.NEGATIVE_INFINITY,
    to: to - WINDOW_MS,
  }))
  const read = await readChunk(db, tenantId, ranges, limit)
  const judged = open.map((run) => ({ run, verdicts: walkOver(run, read.get(run.series.metricId)) }))
  const written = await writeScores(db, tenantId, judged, deps.now)
  for (const { run, verdicts } of judged) {
    const { summary, series } = run
    summary.scored += written.get(series.metricId)?.inserted ?? 0
    summary.rescored += written.get(series.metricId)?.updated ?? 0
    summary.anomalous += verdicts.filter(({ score }) => score >= 1).length
    const { opened, resolved } = await rules.judge(series, verdicts)
    summary.opened += opened
    summary.resolved += resolved
  }
}

interface WalkedWindow extends JudgedWindow {
  readyAt: number | undefined
}

interface JudgedRun {
  run: MetricRun
  verdicts: WalkedWindow[]
}

/** How many scores of each metric were written, and how many of them had none before. */
async function writeScores(
  db: Database,
  tenantId: string,
  judged: JudgedRun[],
  now: number,
): Promise<Map<string, { inserted: number; updated: number }>> {
  const fresh: ScoreRow[] = []
  const known: ScoreRow[] = []
  const written = new Map<string, { inserted: number; updated: number }>()
  for (const { run, verdicts } of judged) {
    const { metricId } = run.series
    const before = fresh.length
    for (const verdict of verdicts) {
      const rows = verdict.windowEnd > run.scoredUntil ? fresh : known
      rows.push({ metricId, verdict, modelId: run.keeper.modelOf(verdict), readyAt: verdict.readyAt })
    }
    written.set(metricId, { inserted: fresh.length - before, updated: 0 })
  }
  await insertScores(db, tenantId, fresh, now)
  for (const { metricId, inserted, updated } of await upsertScores(db, tenantId, known, now)) {
    const counts = written.get(metricId)
    if (counts === undefined) continue
    counts.inserted += inserted
    counts.updated += updated
  }
  return written
}

/** The verdicts to write. */
function walkOver(run: MetricRun, read: MetricWindows | undefined): WalkedWindow[] {
  const { walk, keeper, keeping, from, series } = run
  const { windows, parts, cutShort } = read ?? { windows: [], parts: [], cutShort: false }
  const verdicts: WalkedWindow[] = []
  try {
    for (const [i, window] of windows.entries()) {
      const verdict = walkWindow(walk, { window, parts: parts[i]! })
      if (verdict.windowEnd >= from) {
        verdicts.push({
          ...verdict,
          deviation: deviationOf(window, verdict.expected),
          readyAt: verdict.state === 'learning' ? readyAt(walk.baseline) : undefined,
        })
      }
      if (keeping) keeper.pass(walk)
    }
  } catch (error) {
    throw new MetricError(series, error)
  }
  run.finished = !cutShort
  return verdicts
}

/** Stores the artefacts the walks passed and forgets the superfluous; returns the files that nothing names now. */
async function settleArtefacts({ db, deps, tenantId, runs }: ChunkRun): Promise<string[]> {
  const settled = runs.map(({ keeper, walk }) => {
    keeper.end(walk)
    return keeper.settle()
  })
  const forget = settled.flatMap((metric) => metric.forget)
  if (forget.length > 0) await deleteModels(db, tenantId, forget)
  const record = settled.flatMap((metric) => metric.record)
  const replaced = await recordArtefacts(db, deps.store, tenantId, record)
  return [...settled.flatMap(({ obsolete }) => obsolete), ...replaced]
}
