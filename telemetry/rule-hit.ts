/** How far a window left what was expected of its median, in the metric's unit. */
export interface Deviation {
  /** Positive: above. */
  amount: number
  /** The middle of what was expected. */
  expected: number
}

/** What a rule asks of a single window. */
export interface HitCriteria {
  threshold: number
  direction: 'above' | 'below' | 'both'
  /** Least deviation that counts: in the metric's unit, and as a share of what was expected; both must be met. */
  minDeviation: number
  minDeviationRelative: number
}

/** Whether a window is one of those that the rule is about. What cannot be told is never taken for all is well. */
export function isRuleHit(
  criteria: HitCriteria,
  { score, deviation }: { score: number; deviation: Deviation | undefined },
): boolean {
  if (score < criteria.threshold) return false
  if (deviation === undefined) return true
  const { amount, expected } = deviation
  if (criteria.direction === 'above' && amount <= 0) return false
  if (criteria.direction === 'below' && amount >= 0) return false
  const least = Math.max(criteria.minDeviation, criteria.minDeviationRelative * Math.abs(expected))
  return Math.abs(amount) >= least
}
