import { type Deviation, type HitCriteria, isRuleHit } from '../../telemetry/rule-hit.ts'

/** A stored score, as much of it as a rule looks at. */
export interface StoredScore {
  windowEnd: number
  score: number
  deviation: Deviation | undefined
}

export interface FiringRule extends HitCriteria {
  forWindows: number
  resolveWindows: number
  cooldownMs: number
}

/** An alert that would have been; times are ends of windows in epoch ms. */
export interface Firing {
  openedAt: number
  /** Undefined: still open after the last score. */
  resolvedAt: number | undefined
}

/**
 * When a rule would have fired on the scores of one metric, oldest first, of windows past learning. A test holds
 * it against the state machine of the ML service, which judges window by window and keeps its place.
 */
export function firingsOf(rule: FiringRule, scores: StoredScore[]): Firing[] {
  const firings: Firing[] = []
  let [above, below] = [0, 0]
  let quietUntil = Number.NEGATIVE_INFINITY
  for (const scored of scores) {
    const { windowEnd } = scored
    const last = firings.at(-1)
    const open = last !== undefined && last.resolvedAt === undefined
    const counts = isRuleHit(rule, scored)
    above = counts ? above + 1 : 0
    below = counts ? 0 : below + 1
    if (open && below >= rule.resolveWindows) {
      last.resolvedAt = windowEnd
      quietUntil = windowEnd + rule.cooldownMs
    }
    if (!open && above >= rule.forWindows && windowEnd >= quietUntil) {
      firings.push({ openedAt: windowEnd, resolvedAt: undefined })
    }
  }
  return firings
}
