import type { Database } from '../database.ts'
import { silenceMessage } from '../silence/silence-message.ts'
import { enqueueDeliveries } from '../webhooks/enqueue-deliveries.ts'
import { alertMessage } from './alert-message.ts'
import { lockDisabledRules, resolveDisabled, resolveDisabledSilences } from './disabled-rules-sql.ts'

const REASONS = ['the rule was disabled']

/**
 * Nobody judges by a disabled rule, so what it left open would stay so for ever: it is resolved, and receivers that heard
 * of it hear that it is over and why. Returns how many alerts.
 */
export async function settleDisabled(db: Database, tenantId: string, now: number): Promise<number> {
  const ruleIds = await lockDisabledRules(db, tenantId)
  if (ruleIds.length === 0) return 0
  const alerts = await resolveDisabled(db, tenantId, ruleIds, now)
  for (const { event, series, sequence } of alerts) {
    if (event.announced) await enqueueDeliveries(db, tenantId, alertMessage(event, series, sequence), now)
  }
  const silences = await resolveDisabledSilences(db, tenantId, ruleIds, now)
  for (const { event, devices } of silences) {
    const message = silenceMessage(event, devices, { silentCount: devices.length, reasons: REASONS })
    if (event.announced) await enqueueDeliveries(db, tenantId, message, now)
  }
  return alerts.length + silences.length
}
