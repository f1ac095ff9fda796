import { derivedId } from '../derived-id.ts'

export interface AlertRule {
  id: string
  threshold: number
  forWindows: number
  cooldownMs: number
}

/** How far a rule has been evaluated on a metric, and where it stands. */
export interface AlertCursor {
  /** End of the last window judged; -Infinity before the first. */
  lastWindowEnd: number
  /** Windows in a row at or above the threshold. */
  aboveWindows: number
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
}

export type AlertEffect = { kind: 'open' | 'resolve'; eventId: string; sequence: number } | undefined

/**
 * Judges one window: the cursor after it, and what it sets off. A window at or behind the cursor changes
 * nothing, so each is judged once whatever runs twice; neither does one scored while still learning.
 */
export function judgeAlert(
  cursor: AlertCursor,
  rule: AlertRule & { metricId: string },
  window: ScoredWindow,
): { cursor: AlertCursor; effect: AlertEffect } {
  if (window.windowEnd <= cursor.lastWindowEnd) return { cursor, effect: undefined }
  const moved = { ...cursor, lastWindowEnd: window.windowEnd }
  if (window.state === 'learning') return { cursor: moved, effect: undefined }
  const above = window.score >= rule.threshold
  moved.aboveWindows = above ? cursor.aboveWindows + 1 : 0
  if (cursor.openEventId !== undefined) return above ? unchanged(moved) : resolve(moved, cursor.openEventId)
  if (!above || moved.aboveWindows < rule.forWindows || isCooling(cursor, rule, window))
    return unchanged(moved)
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
