import type { Artefact, LedgerEntry } from '../baseline/artefact.ts'
import { type Baseline, emptyBaseline, stepBaseline, type Verdict } from '../baseline/baseline.ts'
import type { ReadWindow } from '../features/read-windows.ts'

/** Windows between artefacts: a day at one window per 300 s. */
const CHECKPOINT_WINDOWS = 288

/** Stretches a ledger tells apart: a late window costs at most a walk from the artefact before its stretch. */
const MAX_STRETCHES = 9

/** Where a walk stands: the baseline and the ledger of the parts it learned. */
export interface Walk {
  baseline: Baseline
  ledger: LedgerEntry[]
  /** Parts learned since the ledger's last entry. */
  pendingParts: number
}

/** Starts from an artefact (taken over, not copied), or from nothing. */
export function startWalk(artefact: Artefact | undefined): Walk {
  if (artefact === undefined) return { baseline: emptyBaseline(), ledger: [], pendingParts: 0 }
  const walk = { baseline: artefact.baseline, ledger: artefact.ledger, pendingParts: 0 }
  // One between checkpoints ends amid a stretch.
  if (!isCheckpoint(walk)) walk.pendingParts = walk.ledger.pop()?.parts ?? 0
  return walk
}

/** Scores the next window and learns it. */
export function walkWindow(walk: Walk, { window, parts }: ReadWindow): Verdict {
  const verdict = stepBaseline(walk.baseline, window)
  walk.pendingParts += parts
  return verdict
}

/** Whether an artefact is due here: at the minimum history, then a day's windows apart, however a walk is split. */
export const isCheckpoint = ({ baseline: { windows, readyAfter } }: Walk): boolean =>
  readyAfter !== undefined && (windows - readyAfter) % CHECKPOINT_WINDOWS === 0

interface MetricKey {
  tenantId: string
  metricId: string
}

/** The artefact of where the walk stands; closes a stretch of its ledger. Shares the baseline with the walk. */
export function artefactOf(walk: Walk, key: MetricKey): Artefact {
  closeStretch(walk, learnedUntil(walk))
  return artefact(walk, key, [...walk.ledger])
}

/** The same between checkpoints, where the stretch goes on. */
export function headOf(walk: Walk, key: MetricKey): Artefact {
  const stretch = { until: learnedUntil(walk), parts: walk.pendingParts }
  return artefact(walk, key, [...walk.ledger, stretch])
}

const artefact = (walk: Walk, { tenantId, metricId }: MetricKey, ledger: LedgerEntry[]): Artefact => ({
  tenantId,
  metricId,
  trainedUntil: learnedUntil(walk),
  ledger,
  baseline: walk.baseline,
})

function learnedUntil({ baseline }: Walk): number {
  if (baseline.learnedUntil === undefined)
    throw new RangeError('Cannot make an artefact before any window was learned.')
  return baseline.learnedUntil
}

function closeStretch(walk: Walk, until: number): void {
  const { ledger, pendingParts } = walk
  if (ledger[ledger.length - 1]?.until === until) return
  ledger.push({ until, parts: pendingParts })
  walk.pendingParts = 0
  if (ledger.length <= MAX_STRETCHES) return
  const [oldest, second] = ledger
  ledger.splice(0, 2, { until: second!.until, parts: oldest!.parts + second!.parts })
}
