import { DAY_MS } from '../telemetry/retention-periods.ts'
import type { TenantConfig } from './tenant-config.ts'

const MAX_AHEAD_MS = 10 * 60_000

/**
 * Datapoints before this are too old. A batch that has been forgotten, by whichever shard, was received before
 * `dedupeSince`, so its datapoints are older than that plus the ten minutes a clock may run ahead: sent again it has
 * no effect, also after the retention was raised.
 */
export function oldestTimestamp({ plan, dedupeSince }: TenantConfig, receivedAt: number): number {
  const retained = receivedAt - plan.retentionDays * DAY_MS
  return Math.max(retained, (dedupeSince ?? Number.NEGATIVE_INFINITY) + MAX_AHEAD_MS)
}
