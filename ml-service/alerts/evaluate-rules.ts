import type { Deviation } from '../../telemetry/rule-hit.ts'
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
  updateCursors,
  updateDataMissing,
} from './alerts-sql.ts'
import { type AlertEffect, type AlertRule, judgeAlert } from './judge-alert.ts'
import { selectTraceId } from './trace-sql.ts'

/** A scored window and how far it lies from what was expected. */
export interface JudgedWindow extends Verdict {
  deviation: Deviation | undefined
}

/** The rules of some metrics while a run scores them; their cursors are locked until the transaction ends. */
export interface RuleEvaluation {
  /** Judges newly scored windows of a metric, oldest first; returns how many alerts opened and resolved. */
  judge(series: Series, windows: JudgedWindow[]): Promise<Tally>
  /** Alerts that opened and ended so far, for the log: told once it is committed. */
  readonly alerts: AlertChange[]
  /** Stores how far the rules came. */
  finish(): Promise<void>
}

/** What became of an alert. */
export interface AlertChange {
  change: 'opened' | 'resolved'
  tenantId: string
  event: AlertEvent
}

interface Tally {
  opened: number
  resolved: number
}

/**
 * The rules of metrics of one tenant. `scoredUntil` ends the newest window of a metric that was scored before
 * this run: there rules start that are new to it.
 */
export async function startEvaluation(
  db: Database,
  tenantId: string,
  metrics: { series: Series; scoredUntil: number }[],
  now: number,
): Promise<RuleEvaluation> {
  const rules = await selectRules(db, tenantId)
  const rulesOf = ({ metricId }: Series) =>
    rules.filter((rule) => rule.metricId === null || rule.metricId === metricId)
  const keys = metrics.flatMap(({ series, scoredUntil }) =>
    rulesOf(series).map(({ id }) => ({ ruleId: id, metricId: series.metricId, start: scoredUntil })),
  )
  const found = keys.length > 0 ? await lockCursors(db, tenantId, keys) : []
  const alerts: AlertChange[] = []
  const cursors = new Map(found.map((cursor) => [`${cursor.ruleId}/${cursor.metricId}`, cursor]))

  async function judgeOne(rule: AlertRule, series: Series, window: JudgedWindow): Promise<AlertEffect> {
    const { metricId } = series
    const key = `${rule.id}/${metricId}`
    const before = cursors.get(key)
    if (before === undefined) return undefined // deleted meanwhile
    const { cursor, effect } = judgeAlert(before, { ...rule, metricId }, window)
    cursors.set(key, { ...cursor, ruleId: rule.id, metricId })
    const event = effect && (await carryOut(db, series, { rule, window, effect, now }))
    if (event) alerts.push({ change: effect.kind === 'open' ? 'opened' : 'resolved', tenantId, event })
    return effect
  }

  return {
    alerts,
    judge: async (series, windows) => {
      const tally = { opened: 0, resolved: 0 }
      const watching = rulesOf(series)
      for (const window of watching.length > 0 ? windows : []) {
        for (const rule of watching) {
          const effect = await judgeOne(rule, series, window)
          if (effect !== undefined) tally[effect.kind === 'open' ? 'opened' : 'resolved'] += 1
        }
      }
      return tally
    },
    finish: async () => {
      const moved = [...cursors.values()].filter(({ lastWindowEnd }) => Number.isFinite(lastWindowEnd))
      if (moved.length > 0) await updateCursors(db, tenantId, moved)
      const open = moved.filter(({ openEventId }) => openEventId !== undefined)
      const metricIds = open.map(({ metricId }) => metricId)
      if (open.length > 0) await updateDataMissing(db, { tenantId, metricIds }, now)
    },
  }
}

async function carryOut(
  db: Database,
  series: Series,
  judged: { rule: AlertRule; window: JudgedWindow; effect: NonNullable<AlertEffect>; now: number },
): Promise<AlertEvent | undefined> {
  const { rule, window, effect, now } = judged
  let event: AlertEvent | undefined
  if (effect.kind === 'open') {
    event = openedEvent(rule, series, window, { id: effect.eventId, now })
    if (event.announced) event.traceId = await traceOf(db, series, window)
    await insertEvent(db, series.tenantId, event)
  } else {
    event = await resolveEvent(db, series.tenantId, effect.eventId, window.windowEnd)
  }
  if (event?.announced) {
    await enqueueDeliveries(db, series.tenantId, alertMessage(event, series, effect.sequence), now)
  }
  return event
}

const traceOf = async (db: Database, series: Series, { windowStart, windowEnd }: JudgedWindow) =>
  (await selectTraceId(db, series, { from: windowStart, to: windowEnd })) ?? null

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
  resolvedReason: null,
  dataMissingSince: null,
  acknowledgedAt: null,
  acknowledgementNote: null,
  announced: window.windowEnd >= now - rule.maxAgeMs,
  traceId: null,
})
