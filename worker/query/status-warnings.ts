import { and, desc, eq, gte, sql } from 'drizzle-orm'
import * as v from 'valibot'
import { devices, metrics } from '../../migrations/schema.ts'
import { DAY_MS } from '../../telemetry/retention-periods.ts'
import { db } from '../database.ts'
import { component, Id, Instant, told } from '../openapi/fields.ts'

const SERIES_NEAR_LIMIT_SHARE = 0.9
/** A change of unit is warned of for this long, and no more than so many of them. */
const UNIT_CHANGE_MS = 7 * DAY_MS
const MAX_UNIT_CHANGES = 20
/** Days are made 14 ahead, every day: fewer than these mean that nobody has made any for a week. */
const LEAST_DAYS_AHEAD = 7

const Count = v.pipe(v.number(), v.integer())
const message = told(v.string(), 'One sentence for people.')
const SeriesWarning = v.object({
  code: v.picklist(['series_limit_near', 'series_limit_reached']),
  message,
  series_used: Count,
  series_limit: Count,
})
const FailureWarning = v.object({ code: v.literal('batches_failed'), message, batches_failed: Count })
const OutageWarning = v.object({ code: v.literal('database_unavailable'), message })
const PartitionWarning = v.object({
  code: v.picklist(['default_partition_filled', 'partitions_ending']),
  message,
})
const UnitWarning = v.object({
  code: v.literal('unit_changed'),
  message,
  metric_id: Id,
  device: v.string(),
  metric: v.string(),
  unit: v.nullable(v.string()),
  previous_unit: v.nullable(v.string()),
  changed_at: told(v.nullable(Instant), 'When the first batch with the present unit came.'),
})
export const Warning = component(
  'Warning',
  v.union([SeriesWarning, FailureWarning, OutageWarning, PartitionWarning, UnitWarning]),
  'Something that needs attention; `code` is stable. A change of unit is warned of for seven days, the 20 newest ones.',
  {
    code: 'unit_changed',
    message: 'pump-7/temperature is now sent in F, and before in C: its history mixes both.',
    metric_id: '7b0f9c52-93d1-5a60-9d0e-2f4c7a1b3e58',
    device: 'pump-7',
    metric: 'temperature',
    unit: 'F',
    previous_unit: 'C',
    changed_at: '2026-01-08T12:30:00.000Z',
  },
)
type Warning = v.InferOutput<typeof Warning>

interface UnitChange {
  metricId: string
  device: string
  metric: string
  unit: string | null
  previousUnit: string | null
  changedAt: Date | null
}

/** Metrics whose unit changed lately, the newest change first. */
export const recentUnitChanges = (tenantId: string, now: number) =>
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

/** Whether datapoints of the tenant lie outside the days' partitions, and whether days run out: two look-ups. */
export function partitionState(now: number) {
  const day = new Date(now + LEAST_DAYS_AHEAD * DAY_MS).toISOString().slice(0, 10).replaceAll('-', '')
  return db
    .select({
      defaultFilled: sql<boolean>`has_default_datapoints()`,
      daysEnding: sql<boolean>`to_regclass(${`datapoints_${day}`}) is null`,
    })
    .from(sql`(select) as one`)
}

interface Stored {
  failed: number
  unitChanges: UnitChange[]
  defaultFilled: boolean
  daysEnding: boolean
}

/** `stored`: what the database tells; undefined while it is away. */
export function warningsOf(
  flow: { seriesUsed: number; seriesLimit: number },
  stored: Stored | undefined,
): Warning[] {
  if (stored === undefined) return [...seriesWarnings(flow), AWAY]
  const { unitChanges } = stored
  const warnings = [...seriesWarnings(flow), ...failureWarnings(stored), ...partitionWarnings(stored)]
  return [...warnings, ...unitChanges.map(unitWarning)]
}

const AWAY: Warning = {
  code: 'database_unavailable',
  message:
    'The database does not answer: batches are accepted and wait for it, and what it would tell is null.',
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

function partitionWarnings({ defaultFilled, daysEnding }: Pick<Stored, 'defaultFilled' | 'daysEnding'>) {
  return [...(defaultFilled ? [DEFAULT_FILLED] : []), ...(daysEnding ? [DAYS_ENDING] : [])]
}

const DEFAULT_FILLED: Warning = {
  code: 'default_partition_filled',
  message:
    'Datapoints came for days that had no partition: they are read more slowly; ask your operator to run the retention.',
}
const DAYS_ENDING: Warning = {
  code: 'partitions_ending',
  message: `Fewer than ${LEAST_DAYS_AHEAD} days to come are made; ask your operator to run the retention.`,
}

function unitWarning({ metricId, device, metric, unit, previousUnit, changedAt }: UnitChange): Warning {
  return {
    code: 'unit_changed',
    message: `${device}/${metric} is now sent in ${unit}, and before in ${previousUnit}: its history mixes both.`,
    ...{ metric_id: metricId, device, metric, unit, previous_unit: previousUnit, changed_at: changedAt },
  }
}
