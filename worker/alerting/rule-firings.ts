/** A stored score, as much of it as a rule looks at. */
export interface StoredScore {
  windowEnd: number
  score: number
}

export interface FiringRule {
  threshold: number
  for_windows: number
  resolve_windows: number
  cooldown_seconds: number
}

/** An alert that would have been; times are ends of windows in epoch ms. */
export interface Firing {
  openedAt: number
  /** Undefined: still open after the last score. */
  resolvedAt: number | undefined
}

/**
 * When a rule would have fired on the scores of one metric, oldest first, of windows past learning. A test holds
 * it against the state machine of the ML service, which judges window by window and keeps its place. Scores alone
 * are looked at: a rule that asks for a direction or a least deviation fires no more often than this.
 */
export function firingsOf(rule: FiringRule, scores: StoredScore[]): Firing[] {
  const firings: Firing[] = []
  let [above, below] = [0, 0]
  let quietUntil = Number.NEGATIVE_INFINITY
  for (const { windowEnd, score } of scores) {
    const last = firings.at(-1)
    const open = last !== undefined && last.resolvedAt === undefined
    const counts = score >= rule.threshold
    above = counts ? above + 1 : 0
    below = counts ? 0 : below + 1
    if (open && below >= rule.resolve_windows) {
      last.resolvedAt = windowEnd
      quietUntil = windowEnd + rule.cooldown_seconds * 1000
    }
    if (!open && above >= rule.for_windows && windowEnd >= quietUntil) {
      firings.push({ openedAt: windowEnd, resolvedAt: undefined })
    }
  }
  return firings
}
