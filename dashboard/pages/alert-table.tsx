import type { Alert, Metric, Rule } from '../api/schemas.ts'
import { counted, formatScore } from '../format.ts'
import type { Column } from '../parts/data-table.tsx'
import { GrowingTable } from '../parts/growing-table.tsx'
import { ScoreText } from '../parts/score-text.tsx'
import { TimeText } from '../parts/time-text.tsx'
import { metricHref, ruleHref } from '../route.ts'
import { Acknowledgement } from './acknowledgement.tsx'

/** Shown before and after the window that raised an alert. */
const AROUND_MS = 12 * 3_600_000

export interface AlertTableProps {
  alerts: Alert[]
  rules: Rule[]
  /** By id; a metric that is gone is not among them. */
  metrics: Map<string, Metric>
  onChange: () => void
}

export function AlertTable({ alerts, rules, metrics, onChange }: AlertTableProps) {
  const names = new Map(rules.map(({ id, name }) => [id, name]))
  const columns: Column<Alert>[] = [
    { head: 'Opened', cell: ({ opened_at }) => <TimeText time={opened_at} /> },
    { head: 'State', cell: (alert) => <AlertState alert={alert} /> },
    {
      head: 'Metric',
      cell: ({ metric_id, window_end }) => <MetricLink metric={metrics.get(metric_id)} at={window_end} />,
    },
    { head: 'Rule', cell: ({ rule_id }) => <RuleLink id={rule_id} name={names.get(rule_id)} /> },
    {
      head: 'Score',
      cell: ({ score, threshold }) => (
        <>
          <ScoreText score={score} /> <span class="note">from {formatScore(threshold)}</span>
        </>
      ),
      numeric: true,
    },
  ]
  // An API that takes no acknowledgements leaves the field out.
  if (alerts.some(({ acknowledged_at }) => acknowledged_at !== undefined)) {
    const cell = (alert: Alert) => <Acknowledgement alert={alert} onChange={onChange} />
    columns.push({ head: 'Acknowledged', cell })
  }
  return (
    <GrowingTable
      caption={`${counted(alerts.length, 'alert')}, newest first`}
      columns={columns}
      rows={alerts}
      rowKey={({ id }) => id}
    />
  )
}

export function AlertState({ alert }: { alert: Alert }) {
  const { state, resolved_at, data_missing_since } = alert
  if (state === 'resolved') {
    return (
      <>
        <span class="pill ready">resolved</span> <TimeText time={resolved_at} />
      </>
    )
  }
  return (
    <>
      <span class="pill failed">open</span>
      {data_missing_since !== null && (
        <>
          {' '}
          no data since <TimeText time={data_missing_since} />
        </>
      )}
    </>
  )
}

function MetricLink({ metric, at }: { metric: Metric | undefined; at: number }) {
  if (!metric) return <>a metric that is gone</>
  const period = { from: at - AROUND_MS, to: at + AROUND_MS }
  return (
    <a href={metricHref(metric.device_id, metric.id, { period })}>
      <bdi>{metric.device}</bdi> / <bdi>{metric.name}</bdi>
    </a>
  )
}

const RuleLink = ({ id, name }: { id: string; name: string | undefined }) =>
  name === undefined ? (
    <>a rule that is gone</>
  ) : (
    <a href={ruleHref(id)}>
      <bdi>{name}</bdi>
    </a>
  )
