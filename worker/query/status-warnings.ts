import { and, desc, eq, gte } from 'drizzle-orm'
import { devices, metrics } from '../../migrations/schema.ts'
import type { Database } from '../database.ts'

const SERIES_NEAR_LIMIT_SHARE = 0.9
/** A change of unit is warned of for this long, and no more than so many of them. */
const UNIT_CHANGE_MS = 7 * 86_400_000
const MAX_UNIT_CHANGES = 20

/** What `warnings` in `GET /v1/status` lists: `code` is stable, `message` is for people, the rest is what it tells. */
type Warning = { code: string; message: string; [figure: string]: string | number | Date | null }

interface UnitChange {
  metricId: string
  device: string
  metric: string
  unit: string | null
  previousUnit: string | null
  changedAt: Date | null
}

/** Metrics whose unit changed lately, the newest change first. */
export const recentUnitChanges = (db: Database, tenantId: string, now: number) =>
  db
    .select({
      metricId: metrics.id,
      device: devices.externalId,
      metric: metrics.name,
      unit: metrics.unit,
      previousUnit: metrics.previousUnit,
      changedAt: metrics.unitChangedAt,
    })
    .from(metrics)
    .innerJoin(devices, and(eq(devices.tenantId, metrics.tenantId), eq(devices.id, metrics.deviceId)))
    .where(and(eq(metrics.tenantId, tenantId), gte(metrics.unitChangedAt, new Date(now - UNIT_CHANGE_MS))))
    .orderBy(desc(metrics.unitChangedAt))
    .limit(MAX_UNIT_CHANGES)

export function warningsOf(of: {
  seriesUsed: number
  seriesLimit: number
  failed: number
  unitChanges: UnitChange[]
}): Warning[] {
  return [...seriesWarnings(of), ...failureWarnings(of), ...of.unitChanges.map(unitWarning)]
}

function seriesWarnings({ seriesUsed, seriesLimit }: { seriesUsed: number; seriesLimit: number }): Warning[] {
  const figures = { series_used: seriesUsed, series_limit: seriesLimit }
  if (seriesUsed >= seriesLimit) {
    const message = `All ${seriesLimit} series of the plan are in use: datapoints of new series are rejected.`
    return [{ code: 'series_limit_reached', message, ...figures }]
  }
  if (seriesUsed < SERIES_NEAR_LIMIT_SHARE * seriesLimit) return []
  const message = `${seriesUsed} of the plan's ${seriesLimit} series are in use.`
  return [{ code: 'series_limit_near', message, ...figures }]
}

function failureWarnings({ failed }: { failed: number }): Warning[] {
  if (failed === 0) return []
  const message = `${failed} batches could not be stored; ask your operator to send them again.`
  return [{ code: 'batches_failed', message, batches_failed: failed }]
}

function unitWarning({ metricId, device, metric, unit, previousUnit, changedAt }: UnitChange): Warning {
  return {
    code: 'unit_changed',
    message: `${device}/${metric} is now sent in ${unit}, and before in ${previousUnit}: its history mixes both.`,
    ...{ metric_id: metricId, device, metric, unit, previous_unit: previousUnit, changed_at: changedAt },
  }
}
