import { derivedId } from '../derived-id.ts'
import type { Deviation } from './deviation.ts'

export interface AlertRule {
  id: string
  threshold: number
  /** Windows in a row that open an alert. */
  forWindows: number
  /** Windows in a row that resolve it. */
  resolveWindows: number
  cooldownMs: number
  direction: 'above' | 'below' | 'both'
  /** Least deviation that counts: in the metric's unit, and as a share of what was expected; both must be met. */
  minDeviation: number
  minDeviationRelative: number
  /** Older windows are judged, but nobody is told. */
  maxAgeMs: number
}

/** How far a rule has been evaluated on a metric, and where it stands. */
export interface AlertCursor {
  /** End of the last window judged; -Infinity before the first. */
  lastWindowEnd: number
  /** Windows in a row that counted, and that did not. */
  aboveWindows: number
  belowWindows: number
  openEventId: string | undefined
  /** Window end of the last resolution. */
  closedAt: number | undefined
  /** Counts what was announced. */
  sequence: number
}

/** What the rule looks at. */
export interface ScoredWindow {
  windowEnd: number
  score: number
  state: 'learning' | 'ready'
  deviation: Deviation | undefined
}

export type AlertEffect = { kind: 'open' | 'resolve'; eventId: string; sequence: number } | undefined

/**
 * Judges one window: the cursor after it, and what it sets off. A window at or behind the cursor changes
 * nothing, so each is judged once whatever runs twice; neither does one scored while still learning. A gap is no
 * window: what was open stays open over it, and rows of windows go on after it.
 */
export function judgeAlert(
  cursor: AlertCursor,
  rule: AlertRule & { metricId: string },
  window: ScoredWindow,
): { cursor: AlertCursor; effect: AlertEffect } {
  if (window.windowEnd <= cursor.lastWindowEnd) return unchanged(cursor)
  const moved = { ...cursor, lastWindowEnd: window.windowEnd }
  if (window.state === 'learning') return unchanged(moved)
  const counts = isHit(rule, window)
  moved.aboveWindows = counts ? cursor.aboveWindows + 1 : 0
  moved.belowWindows = counts ? 0 : cursor.belowWindows + 1
  const { openEventId } = cursor
  if (openEventId !== undefined) {
    return moved.belowWindows >= rule.resolveWindows ? resolve(moved, openEventId) : unchanged(moved)
  }
  if (moved.aboveWindows < rule.forWindows || isCooling(cursor, rule, window)) return unchanged(moved)
  return open(moved, derivedId('alert', rule.id, rule.metricId, window.windowEnd))
}

/** Whether a window is one of those that the rule is about. What cannot be told is never taken for all is well. */
export function isHit(rule: AlertRule, { score, deviation }: ScoredWindow): boolean {
  if (score < rule.threshold) return false
  if (deviation === undefined) return true
  const { amount, expected } = deviation
  if (rule.direction === 'above' && amount <= 0) return false
  if (rule.direction === 'below' && amount >= 0) return false
  return Math.abs(amount) >= Math.max(rule.minDeviation, rule.minDeviationRelative * Math.abs(expected))
}

const unchanged = (cursor: AlertCursor) => ({ cursor, effect: undefined })

const isCooling = ({ closedAt }: AlertCursor, { cooldownMs }: AlertRule, { windowEnd }: ScoredWindow) =>
  closedAt !== undefined && windowEnd < closedAt + cooldownMs

function open(cursor: AlertCursor, eventId: string) {
  const sequence = cursor.sequence + 1
  return {
    cursor: { ...cursor, openEventId: eventId, sequence },
    effect: { kind: 'open' as const, eventId, sequence },
  }
}

function resolve(cursor: AlertCursor, eventId: string) {
  const sequence = cursor.sequence + 1
  return {
    cursor: { ...cursor, openEventId: undefined, closedAt: cursor.lastWindowEnd, sequence },
    effect: { kind: 'resolve' as const, eventId, sequence },
  }
}
