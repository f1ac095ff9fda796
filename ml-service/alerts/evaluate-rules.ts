import type { Verdict } from '../baseline/baseline.ts'
import type { Database } from '../database.ts'
import type { Series } from '../metric-lookup.ts'
import { enqueueDeliveries } from '../webhooks/enqueue-deliveries.ts'
import { alertMessage } from './alert-message.ts'
import {
  type AlertEvent,
  insertEvent,
  lockCursors,
  resolveEvent,
  selectRules,
  updateCursor,
  updateDataMissing,
} from './alerts-sql.ts'
import type { Deviation } from './deviation.ts'
import { type AlertCursor, type AlertEffect, type AlertRule, judgeAlert } from './judge-alert.ts'

/** A scored window and how far it lies from what was expected. */
export interface JudgedWindow extends Verdict {
  deviation: Deviation | undefined
}

/** The rules of one metric while a run scores it; their cursors are locked until the transaction ends. */
export interface RuleEvaluation {
  /** Judges newly scored windows, oldest first. */
  judge(windows: JudgedWindow[]): Promise<void>
  /** Stores how far the rules came; returns how many alerts opened and resolved. */
  finish(): Promise<{ opened: number; resolved: number }>
}

/** `scoredUntil` ends the newest window scored before this run: there rules start that are new to the metric. */
export async function startEvaluation(
  db: Database,
  series: Series,
  scoredUntil: number,
  now: number,
): Promise<RuleEvaluation> {
  const rules = await selectRules(db, series)
  const ruleIds = rules.map((rule) => rule.id)
  const cursors =
    rules.length > 0 ? await lockCursors(db, series, ruleIds, scoredUntil) : new Map<string, AlertCursor>()
  const tally = { opened: 0, resolved: 0 }

  async function judgeOne(rule: AlertRule, window: JudgedWindow): Promise<void> {
    const before = cursors.get(rule.id)
    if (before === undefined) return // deleted meanwhile
    const { cursor, effect } = judgeAlert(before, { ...rule, metricId: series.metricId }, window)
    cursors.set(rule.id, cursor)
    if (effect === undefined) return
    tally[effect.kind === 'open' ? 'opened' : 'resolved'] += 1
    await carryOut(db, series, { rule, window, effect, now })
  }

  return {
    judge: async (windows) => {
      for (const window of windows) for (const rule of rules) await judgeOne(rule, window)
    },
    finish: async () => {
      for (const [ruleId, cursor] of cursors) {
        if (Number.isFinite(cursor.lastWindowEnd)) await updateCursor(db, series, ruleId, cursor)
      }
      const open = [...cursors.values()].some(({ openEventId }) => openEventId !== undefined)
      if (open) await updateDataMissing(db, series, now)
      return tally
    },
  }
}

async function carryOut(
  db: Database,
  series: Series,
  judged: { rule: AlertRule; window: JudgedWindow; effect: NonNullable<AlertEffect>; now: number },
): Promise<void> {
  const { rule, window, effect, now } = judged
  let event: AlertEvent | undefined
  if (effect.kind === 'open') {
    event = openedEvent(rule, series, window, { id: effect.eventId, now })
    await insertEvent(db, series.tenantId, event)
  } else {
    event = await resolveEvent(db, series.tenantId, effect.eventId, window.windowEnd)
  }
  if (!event?.announced) return
  await enqueueDeliveries(db, series.tenantId, alertMessage(event, series, effect.sequence), now)
}

/**
 * An alert opens at the end of the window that opened it: the same however late that window was scored. When that
 * is older than the rule's `maxAgeMs` it is only stored: a replay or backfill floods no receiver.
 */
const openedEvent = (
  rule: AlertRule,
  series: Series,
  window: JudgedWindow,
  { id, now }: { id: string; now: number },
): AlertEvent => ({
  id,
  ruleId: rule.id,
  metricId: series.metricId,
  windowEnd: window.windowEnd,
  score: window.score,
  threshold: rule.threshold,
  reasons: window.reasons,
  state: 'open',
  openedAt: window.windowEnd,
  resolvedAt: null,
  dataMissingSince: null,
  acknowledgedAt: null,
  acknowledgementNote: null,
  announced: window.windowEnd >= now - rule.maxAgeMs,
})
