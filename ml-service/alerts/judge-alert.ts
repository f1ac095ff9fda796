import { type Deviation, type HitCriteria, isRuleHit } from '../../telemetry/rule-hit.ts'
import { derivedId } from '../derived-id.ts'

export interface AlertRule extends HitCriteria {
  id: string
  /** Windows in a row that open an alert. */
  forWindows: number
  /** Windows in a row that resolve it. */
  resolveWindows: number
  cooldownMs: number
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

/** Of a rule that has seen nothing of a metric yet. */
export const NEW_CURSOR: AlertCursor = {
  lastWindowEnd: Number.NEGATIVE_INFINITY,
  aboveWindows: 0,
  belowWindows: 0,
  openEventId: undefined,
  closedAt: undefined,
  sequence: 0,
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
  const counts = isRuleHit(rule, window)
  moved.aboveWindows = counts ? cursor.aboveWindows + 1 : 0
  moved.belowWindows = counts ? 0 : cursor.belowWindows + 1
  const { openEventId } = cursor
  if (openEventId !== undefined) {
    return moved.belowWindows >= rule.resolveWindows ? resolve(moved, openEventId) : unchanged(moved)
  }
  if (moved.aboveWindows < rule.forWindows || isCooling(cursor, rule, window)) return unchanged(moved)
  return open(moved, derivedId('alert', rule.id, rule.metricId, window.windowEnd))
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
