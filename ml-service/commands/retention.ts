import { applyRetention, type RetentionSummary } from '../retention/apply-retention.ts'
import type { Command } from './command.ts'

/** Drops what is past each tenant's retention, and makes coming partitions. */
export const retention: Command = async ({ pool, now, print }) => {
  print(lineOf(await applyRetention(pool, now())))
  return 0
}

function lineOf({ deleted, partitionsDropped, partitionsMade }: RetentionSummary): string {
  const rows = Object.entries(deleted).map(([table, count]) => `${count} ${table}`)
  return `deleted ${rows.join(', ')}; ${partitionsDropped} partitions dropped, ${partitionsMade} made`
}
