import type { RuleFields } from '../api/alerting-api.ts'
import type { Metric } from '../api/schemas.ts'
import { numberOf } from './number-of.ts'

/** A rule as it is typed, in the units of the form: a number that is half typed is none yet. */
export interface TypedRule {
  name: string
  threshold: string
  windows: string
  resolveWindows: string
  quietMinutes: string
  direction: RuleFields['direction']
  leastDeviation: string
  leastPercent: string
  tellWithinHours: string
}

export const typedOf = (rule: RuleFields): TypedRule => ({
  name: rule.name,
  threshold: String(rule.threshold),
  windows: String(rule.for_windows),
  resolveWindows: String(rule.resolve_windows),
  quietMinutes: String(rule.cooldown_seconds / 60),
  direction: rule.direction,
  leastDeviation: String(rule.min_deviation),
  leastPercent: String(roundOff(rule.min_deviation_relative * 100)),
  tellWithinHours: String(rule.max_age_seconds / 3600),
})

export const fieldsOf = (typed: TypedRule, metric: Metric | undefined, enabled: boolean): RuleFields => ({
  name: typed.name,
  metric_id: metric?.id ?? null,
  threshold: numberOf(typed.threshold),
  for_windows: numberOf(typed.windows),
  resolve_windows: numberOf(typed.resolveWindows),
  cooldown_seconds: Math.round(numberOf(typed.quietMinutes) * 60),
  direction: typed.direction,
  min_deviation: numberOf(typed.leastDeviation),
  min_deviation_relative: roundOff(numberOf(typed.leastPercent) / 100),
  max_age_seconds: Math.round(numberOf(typed.tellWithinHours) * 3600),
  enabled,
})

/** 7 % is 0.07, not 0.07000000000000001. */
const roundOff = (value: number) => Number(value.toPrecision(12))
