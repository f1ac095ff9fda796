import type { RuleFields } from '../api/alerting-api.ts'
import type { Api } from '../api/api.ts'
import { useApi } from '../api/api-context.ts'
import type { ReadOptions } from '../api/request.ts'
import type { Metric } from '../api/schemas.ts'
import { useResource } from '../api/use-resource.ts'
import { PageHeader } from '../parts/page-header.tsx'
import { Loaded } from '../parts/states.tsx'
import { alertsHref } from '../route.ts'
import { RuleForm } from './rule-form.tsx'

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
        {({ fields, metric }) => <RuleForm ruleId={ruleId} initial={fields} initialMetric={metric} />}
      </Loaded>
    </>
  )
}

const NEW_RULE: RuleFields = {
  ...{ name: '', metric_id: null, threshold: 1 },
  ...{ for_windows: 1, resolve_windows: 1, cooldown_seconds: 0, enabled: true },
  ...{ direction: 'both', min_deviation: 0, min_deviation_relative: 0, max_age_seconds: 86_400 },
}

interface LoadedRule {
  fields: RuleFields
  metric: Metric | undefined
}

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
  const { id: _, ...fields } = await api.rule(ruleId, read)
  const [metric] = fields.metric_id === null ? [] : await api.metricsById([fields.metric_id], read)
  return { fields, metric }
}
