import { useState } from 'preact/hooks'
import type { RuleFields, SilenceRuleFields } from '../api/alerting-api.ts'
import type { Api } from '../api/api.ts'
import { useApi } from '../api/api-context.ts'
import type { ReadOptions } from '../api/request.ts'
import type { Device, Metric, Rule } from '../api/schemas.ts'
import { useResource } from '../api/use-resource.ts'
import { PageHeader } from '../parts/page-header.tsx'
import { Loaded } from '../parts/states.tsx'
import { alertsHref } from '../route.ts'
import { RuleForm } from './rule-form.tsx'
import { SilenceRuleForm } from './silence-rule-form.tsx'

export interface RulePageProps {
  /** Undefined: a new rule, for `metricId` or all metrics. */
  ruleId: string | undefined
  metricId: string | undefined
}

/** One rule, to be made or changed, with what it would have done. */
export function RulePage({ ruleId, metricId }: RulePageProps) {
  const api = useApi()
  const key = `${ruleId} ${metricId}`
  const { resource, reload } = useResource(key, (read) => loadRule(api, { ruleId, metricId }, read))
  return (
    <>
      <PageHeader
        title={ruleId === undefined ? 'New alert rule' : 'Alert rule'}
        crumbs={[{ label: 'Alerts', href: alertsHref() }]}
      />
      <Loaded resource={resource} reload={reload}>
        {(rule) => (ruleId === undefined ? <NewRule rule={rule} /> : <Form ruleId={ruleId} rule={rule} />)}
      </Loaded>
    </>
  )
}

/** A new rule is of either kind; one on a metric is most likely what was asked for. */
function NewRule({ rule }: { rule: LoadedRule }) {
  const [silence, setSilence] = useState(false)
  const choice = (isSilence: boolean, label: string) => (
    <label>
      <input
        type="radio"
        name="kind"
        checked={silence === isSilence}
        onChange={() => setSilence(isSilence)}
      />{' '}
      {label}
    </label>
  )
  return (
    <>
      <fieldset class="picker">
        <legend>Raises an alert when</legend>
        {choice(false, 'a metric is unusual')}
        {choice(true, 'a device falls silent')}
      </fieldset>
      <Form ruleId={undefined} rule={silence ? { silence: NEW_SILENCE, device: undefined } : rule} />
    </>
  )
}

function Form({ ruleId, rule }: { ruleId: string | undefined; rule: LoadedRule }) {
  if (rule.silence)
    return <SilenceRuleForm ruleId={ruleId} initial={rule.silence} initialDevice={rule.device} />
  return <RuleForm ruleId={ruleId} initial={rule.fields} initialMetric={rule.metric} />
}

const NEW_SILENCE: SilenceRuleFields = {
  ...{ kind: 'silence', name: 'A device is silent', device_id: null },
  ...{ intervals: 5, floor_seconds: 300, enabled: true },
}

const NEW_RULE: RuleFields = {
  ...{ name: '', metric_id: null, threshold: 1 },
  ...{ for_windows: 1, resolve_windows: 1, cooldown_seconds: 0, enabled: true },
  ...{ direction: 'both', min_deviation: 0, min_deviation_relative: 0, max_age_seconds: 86_400 },
}

type LoadedRule =
  | { silence: SilenceRuleFields; device: Device | undefined }
  | { silence?: undefined; fields: RuleFields; metric: Metric | undefined }

async function loadRule(
  api: Api,
  { ruleId, metricId }: RulePageProps,
  read: ReadOptions,
): Promise<LoadedRule> {
  if (ruleId === undefined) {
    const metric = metricId === undefined ? undefined : await api.metric(metricId, read)
    const name = metric ? `${metric.device} ${metric.name} is unusual` : ''
    return { fields: { ...NEW_RULE, name: name.slice(0, 128), metric_id: metric?.id ?? null }, metric }
  }
  const rule = await api.rule(ruleId, read)
  const silence = silenceOf(rule)
  if (silence) {
    const [device] = silence.device_id === null ? [] : await api.devicesById([silence.device_id], read)
    return { silence, device }
  }
  const [metric] = rule.metric_id === null ? [] : await api.metricsById([rule.metric_id], read)
  return { fields: fieldsOf(rule), metric }
}

function fieldsOf(rule: Rule): RuleFields {
  const {
    id: _,
    kind: _kind,
    device_id: _device,
    intervals: _intervals,
    floor_seconds: _floor,
    ...fields
  } = rule
  return { ...fields, threshold: fields.threshold ?? NEW_RULE.threshold }
}

function silenceOf({ kind, name, device_id, intervals, floor_seconds, enabled }: Rule) {
  if (kind === 'anomaly' || intervals === null || floor_seconds === null) return undefined
  return { kind, name, device_id, intervals, floor_seconds, enabled }
}
