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
} from './alerts-sql.ts'
import { type AlertCursor, type AlertEffect, type AlertRule, judgeAlert } from './judge-alert.ts'

/** Older windows store their event but tell nobody: a replay or backfill floods no receiver. */
const MAX_AGE_MS = 24 * 3600_000

/** The rules of one metric while a run scores it; their cursors are locked until the transaction ends. */
export interface RuleEvaluation {
  /** Judges newly scored windows, oldest first. */
  judge(verdicts: Verdict[]): Promise<void>
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

  async function judgeOne(rule: AlertRule, verdict: Verdict): Promise<void> {
    const before = cursors.get(rule.id)
    if (before === undefined) return // deleted meanwhile
    const { cursor, effect } = judgeAlert(before, { ...rule, metricId: series.metricId }, verdict)
    cursors.set(rule.id, cursor)
    if (effect === undefined) return
    tally[effect.kind === 'open' ? 'opened' : 'resolved'] += 1
    await carryOut(db, series, { rule, verdict, effect, now })
  }

  return {
    judge: async (verdicts) => {
      for (const verdict of verdicts) for (const rule of rules) await judgeOne(rule, verdict)
    },
    finish: async () => {
      for (const [ruleId, cursor] of cursors) {
        if (Number.isFinite(cursor.lastWindowEnd)) await updateCursor(db, series, ruleId, cursor)
      }
      return tally
    },
  }
}

async function carryOut(
  db: Database,
  series: Series,
  judged: { rule: AlertRule; verdict: Verdict; effect: NonNullable<AlertEffect>; now: number },
): Promise<void> {
  const { rule, verdict, effect, now } = judged
  let event: AlertEvent | undefined
  if (effect.kind === 'open') {
    event = openedEvent(rule, series, verdict, effect.eventId)
    await insertEvent(db, series.tenantId, event)
  } else {
    event = await resolveEvent(db, series.tenantId, effect.eventId, verdict.windowEnd)
  }
  if (event === undefined || verdict.windowEnd < now - MAX_AGE_MS) return
  await enqueueDeliveries(db, series.tenantId, alertMessage(event, series, effect.sequence, now), now)
}

/** An alert opens at the end of the window that opened it: the same however late that window was scored. */
const openedEvent = (rule: AlertRule, series: Series, verdict: Verdict, id: string): AlertEvent => ({
  id,
  ruleId: rule.id,
  metricId: series.metricId,
  windowEnd: verdict.windowEnd,
  score: verdict.score,
  threshold: rule.threshold,
  reasons: verdict.reasons,
  state: 'open',
  openedAt: verdict.windowEnd,
  resolvedAt: null,
  dataMissingSince: null,
})
