import * as v from 'valibot'
import { Name } from '../../telemetry/name.ts'
import { component, Id, told } from '../openapi/fields.ts'

const Windows = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000))
const Seconds = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(31_536_000))
const NotNegative = v.pipe(v.number(), v.finite(), v.minValue(0))
/** Devices are remembered for as long, so no silence can be asked for that is longer. */
const MAX_SILENCE_SECONDS = 30 * 86_400

const Kind = told(
  v.picklist(['anomaly', 'silence']),
  '`anomaly`: scores of metrics raise it; `silence`: a device that sends nothing for too long.',
)

/** What a rule of scores says. */
const AnomalyFields = {
  metric_id: told(v.nullable(Id), 'The metric it watches; null: all of them.'),
  threshold: told(v.pipe(v.number(), v.finite(), v.gtValue(0)), 'The score that raises an alert.'),
  for_windows: told(Windows, 'For how many windows in a row the score must stay there.'),
  resolve_windows: told(Windows, 'For how many windows in a row it must not, for the alert to be over.'),
  cooldown_seconds: told(Seconds, 'How long after an alert was resolved none is raised.'),
  direction: told(
    v.picklist(['above', 'below', 'both']),
    'Which way a window must have left what was expected: by its median or, where that is as expected, by the value ' +
      'farthest from it.',
  ),
  min_deviation: told(
    NotNegative,
    'How far it must have left the middle of what was expected, in the metric’s unit.',
  ),
  min_deviation_relative: told(
    NotNegative,
    'The same as a share of the middle of what was expected: 0.05 is 5 %. Both least deviations must be met.',
  ),
}

/** What a rule of silence says. */
const SilenceFields = {
  device_id: told(v.nullable(Id), 'The device it watches; null: all of them.'),
  intervals: told(
    v.pipe(v.number(), v.minValue(2), v.maxValue(10_000)),
    'How many times its usual cadence a device may be silent. The cadence is learned from when its data arrive.',
  ),
  floor_seconds: told(
    v.pipe(v.number(), v.integer(), v.minValue(60), v.maxValue(MAX_SILENCE_SECONDS)),
    'And for how long at least, whatever its cadence.',
  ),
}

const OfEither = {
  name: Name,
  max_age_seconds: told(
    Seconds,
    'Alerts whose cause is older than this when it is found out are stored, and no webhook hears of them.',
  ),
  enabled: v.boolean(),
}

export const AlertRule = component(
  'AlertRule',
  v.object({
    id: Id,
    kind: Kind,
    ...OfEither,
    ...AnomalyFields,
    threshold: told(v.nullable(v.number()), 'The score that raises an alert; null in a rule of silence.'),
    device_id: SilenceFields.device_id,
    intervals: told(
      v.nullable(v.number()),
      'How many times its usual cadence a device may be silent; null in others.',
    ),
    floor_seconds: told(
      v.nullable(v.pipe(v.number(), v.integer())),
      'And for how long at least; null in a rule that is not of silence.',
    ),
  }),
  'What raises alerts: of scores, one opens when they reach the threshold and closes when they fall below; of silence, one opens when devices send nothing for too long and closes when all of them do again.',
  {
    id: '9a7c5e31-2b4d-4f68-8a0c-1e3f5d7b9c24',
    kind: 'anomaly',
    name: 'Pump 7 runs hot',
    max_age_seconds: 86_400,
    enabled: true,
    metric_id: '7b0f9c52-93d1-5a60-9d0e-2f4c7a1b3e58',
    threshold: 1,
    for_windows: 2,
    resolve_windows: 3,
    cooldown_seconds: 0,
    direction: 'above',
    min_deviation: 0.5,
    min_deviation_relative: 0,
    device_id: null,
    intervals: null,
    floor_seconds: null,
  },
)

/** What a new rule says where it says nothing. */
export const RULE_DEFAULTS = { threshold: 1, intervals: 5, floor_seconds: 300 }

const orElse = <const Schema extends v.GenericSchema>(schema: Schema, value: unknown) =>
  v.optional(v.pipe(schema, v.metadata({ default: value })))

export const NewRule = component(
  'NewAlertRule',
  v.object({
    kind: v.optional(Kind, 'anomaly'),
    name: OfEither.name,
    max_age_seconds: orElse(OfEither.max_age_seconds, 86_400),
    enabled: orElse(OfEither.enabled, true),
    metric_id: orElse(AnomalyFields.metric_id, null),
    threshold: orElse(AnomalyFields.threshold, RULE_DEFAULTS.threshold),
    for_windows: orElse(AnomalyFields.for_windows, 1),
    resolve_windows: orElse(AnomalyFields.resolve_windows, 1),
    cooldown_seconds: orElse(AnomalyFields.cooldown_seconds, 0),
    direction: orElse(AnomalyFields.direction, 'both'),
    min_deviation: orElse(AnomalyFields.min_deviation, 0),
    min_deviation_relative: orElse(AnomalyFields.min_deviation_relative, 0),
    device_id: orElse(SilenceFields.device_id, null),
    intervals: orElse(SilenceFields.intervals, RULE_DEFAULTS.intervals),
    floor_seconds: orElse(SilenceFields.floor_seconds, RULE_DEFAULTS.floor_seconds),
  }),
  'An alert rule to create. It says what its `kind` can say: no `threshold` of silence, no `intervals` of scores.',
  { name: 'Pump 7 runs hot', metric_id: '7b0f9c52-93d1-5a60-9d0e-2f4c7a1b3e58' },
)

export const RuleChange = component(
  'AlertRuleChange',
  v.partial(v.object({ ...OfEither, ...AnomalyFields, ...SilenceFields })),
  'What to change of an alert rule; its `kind` stays.',
  { threshold: 1.5 },
)

/** A rule of scores to be tried on the past. */
export const RuleTrial = component(
  'AlertRuleTrial',
  v.object({
    kind: v.optional(v.literal('anomaly'), 'anomaly'),
    name: v.optional(Name, 'trial'),
    metric_id: v.optional(AnomalyFields.metric_id, null),
    threshold: v.optional(AnomalyFields.threshold, RULE_DEFAULTS.threshold),
    for_windows: v.optional(AnomalyFields.for_windows, 1),
    resolve_windows: v.optional(AnomalyFields.resolve_windows, 1),
    cooldown_seconds: v.optional(AnomalyFields.cooldown_seconds, 0),
    direction: v.optional(AnomalyFields.direction, 'both'),
    min_deviation: v.optional(AnomalyFields.min_deviation, 0),
    min_deviation_relative: v.optional(AnomalyFields.min_deviation_relative, 0),
  }),
  'An alert rule on scores, as it would be created.',
  { metric_id: '7b0f9c52-93d1-5a60-9d0e-2f4c7a1b3e58', threshold: 1.5 },
)

/** Names of what the other kind of rule says that are given: a rule cannot say them. */
export function strayFields(kind: 'anomaly' | 'silence', given: Record<string, unknown>): string[] {
  const strange = Object.keys(kind === 'silence' ? AnomalyFields : SilenceFields)
  return strange.filter((name) => given[name] !== undefined && given[name] !== null)
}
