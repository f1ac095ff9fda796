import { useApi } from '../api/api-context.ts'
import type { Device, Metric, Rule } from '../api/schemas.ts'
import { useAction } from '../api/use-action.ts'
import { counted, formatDuration, formatNumber, formatPercent, formatScore } from '../format.ts'
import { CommandCard } from '../parts/command-card.tsx'
import { ConfirmButton } from '../parts/confirm-button.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { MetricName } from '../parts/metric-name.tsx'
import { NamedLink } from '../parts/named-link.tsx'
import { ErrorNote } from '../parts/states.tsx'
import { ruleHref } from '../route.ts'

export interface RuleTableProps {
  rules: Rule[]
  /** By id; what is gone is not among them. */
  metrics: Map<string, Metric>
  devices: Map<string, Device>
  onChange: () => void
}

export function RuleTable({ rules, metrics, devices, onChange }: RuleTableProps) {
  const api = useApi()
  const { busy, error, run } = useAction()
  const change = (work: () => Promise<unknown>) => run(() => work().then(onChange))
  if (rules.length === 0) return <FirstRule />
  const columns: Column<Rule>[] = [
    {
      head: 'Rule',
      cell: ({ id, name }) => <NamedLink href={ruleHref(id)} name={name} />,
    },
    { head: 'Watches', cell: (rule) => <Watched rule={rule} metrics={metrics} devices={devices} /> },
    { head: 'Fires', cell: whenText },
    {
      head: 'Enabled',
      cell: ({ id, name, enabled }) => (
        <input
          type="checkbox"
          aria-label={`Enable ${name}`}
          checked={enabled}
          disabled={busy}
          onChange={() => change(() => api.changeRule(id, { enabled: !enabled }))}
        />
      ),
    },
    {
      head: 'Delete',
      cell: ({ id, name }) => (
        <ConfirmButton
          label="Delete"
          confirm={`Really delete “${name}”?`}
          busy={busy}
          onConfirm={() => change(() => api.deleteRule(id))}
        />
      ),
    },
  ]
  return (
    <>
      <DataTable caption="Rules" columns={columns} rows={rules} rowKey={({ id }) => id} />
      {error && <ErrorNote error={error} />}
    </>
  )
}

const FirstRule = () => (
  <CommandCard
    title="No rule raises alerts yet"
    hint="Make one here, or from a shell with a key that has the scope “manage”."
    path="/v1/alert-rules"
    body={{ name: 'unusual on any metric', threshold: 1 }}
  />
)

type WatchedProps = { rule: Rule } & Pick<RuleTableProps, 'metrics' | 'devices'>

function Watched({ rule: { kind, metric_id, device_id }, metrics, devices }: WatchedProps) {
  if (kind === 'silence') {
    if (device_id === null) return <>all devices</>
    return <bdi>{devices.get(device_id)?.external_id ?? 'a device that is gone'}</bdi>
  }
  if (metric_id === null) return <>all metrics</>
  const metric = metrics.get(metric_id)
  return metric ? <MetricName {...metric} /> : <>a metric that is gone</>
}

/**
 * `at 1.00 or more, above by 2 or more, for 3 windows in a row, then quiet for 1 hr`; of silence
 * `after 5 times the usual, 5 min at least`.
 */
export function whenText({ threshold, for_windows, cooldown_seconds, ...rule }: Rule): string {
  if (threshold === null) {
    return `after ${rule.intervals} times the usual, ${formatDuration((rule.floor_seconds ?? 0) * 1000)} at least`
  }
  const parts = [`at ${formatScore(threshold)} or more`]
  const deviation = deviationText(rule)
  if (deviation !== '') parts.push(deviation)
  if (for_windows > 1) parts.push(`for ${counted(for_windows, 'window')} in a row`)
  if (cooldown_seconds > 0) parts.push(`then quiet for ${formatDuration(cooldown_seconds * 1000)}`)
  return parts.join(', ')
}

type DeviationFields = Pick<Rule, 'direction' | 'min_deviation' | 'min_deviation_relative'>

/** `above by 2 and 5 % or more`, empty where any deviation counts. */
function deviationText({ direction, min_deviation, min_deviation_relative }: DeviationFields): string {
  const least = [
    min_deviation > 0 ? formatNumber(min_deviation) : '',
    min_deviation_relative > 0 ? formatPercent(min_deviation_relative) : '',
  ].filter((text) => text !== '')
  const way = direction === 'both' ? 'off' : direction
  if (least.length > 0) return `${way} by ${least.join(' and ')} or more`
  return direction === 'both' ? '' : way
}
