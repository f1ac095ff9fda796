import { log } from '../log.ts'
import { progress } from '../progress.ts'
import { applyRetention, type RetentionSummary } from '../retention/apply-retention.ts'
import type { Command } from './command.ts'

/**
 * Drops what is past each tenant's retention, and makes coming partitions. Exit code 1 when days could
 * not be made or dropped, because they were in use all the time: everything else is done all the same.
 */
export const retention: Command = async ({ pool, now, print }) => {
  const bar = progress('deleted', undefined, { unit: 'chunks of rows' })
  const summary = await applyRetention(pool, now(), { onChunk: bar.step })
  bar.end()
  print(lineOf(summary))
  const { daysPostponed, daysMissing } = summary
  if (daysPostponed + daysMissing === 0) return 0
  log('error', 'retention_blocked', { days_postponed: daysPostponed, days_missing: daysMissing })
  return 1
}

function lineOf({ deleted, daysMade, daysEmptied, daysDropped }: RetentionSummary): string {
  const rows = Object.entries(deleted).map(([table, count]) => `${count} ${table}`)
  return `deleted ${rows.join(', ')}; days: ${daysMade} made, ${daysEmptied} emptied, ${daysDropped} dropped`
}
