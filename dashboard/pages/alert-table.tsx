import type { Alert, Metric, Rule } from '../api/schemas.ts'
import { counted, formatCount, formatScore } from '../format.ts'
import type { Column } from '../parts/data-table.tsx'
import { GrowingTable } from '../parts/growing-table.tsx'
import { MetricName } from '../parts/metric-name.tsx'
import { NamedLink } from '../parts/named-link.tsx'
import { ScoreText } from '../parts/score-text.tsx'
import { TimeText } from '../parts/time-text.tsx'
import { deviceHref, metricHref, ruleHref } from '../route.ts'
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
    { head: 'About', cell: (alert) => <About alert={alert} metrics={metrics} /> },
    { head: 'Rule', cell: ({ rule_id }) => <RuleLink id={rule_id} name={names.get(rule_id)} /> },
    {
      head: 'Score',
      cell: ({ score, threshold }) =>
        threshold !== null && (
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
  const { state, resolved_at, resolved_reason, data_missing_since } = alert
  if (state === 'resolved') {
    return (
      <>
        <span class="pill ready">resolved</span> <TimeText time={resolved_at} />
        {resolved_reason !== null && ', as the rule was disabled'}
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

function About({ alert, metrics }: { alert: Alert; metrics: Map<string, Metric> }) {
  const { metric_id, window_end, devices } = alert
  if (devices !== null) return <SilentDevices alert={alert} devices={devices} />
  return <MetricLink metric={metrics.get(metric_id ?? '')} at={window_end ?? alert.opened_at} />
}

/** Names in sight before the list is opened. */
const IN_SIGHT = 3

type NamedDevice = NonNullable<Alert['devices']>[number]

function SilentDevices({ alert, devices }: { alert: Alert; devices: NamedDevice[] }) {
  const { device_count, silent_count } = alert
  const count = device_count ?? devices.length
  const still = silent_count !== null && silent_count < count && `, ${formatCount(silent_count)} still`
  if (count <= IN_SIGHT) return <DeviceLinks devices={devices} />
  return (
    <details>
      <summary>
        {counted(count, 'silent device')}
        {still}
      </summary>
      <DeviceLinks devices={devices} />
      {count > devices.length && <p class="note">and {formatCount(count - devices.length)} more</p>}
    </details>
  )
}

const DeviceLinks = ({ devices }: { devices: NamedDevice[] }) => (
  <ul class="latest">
    {devices.map(({ device_id, device, last_seen_at, recovered_at }) => (
      <li key={device_id}>
        <NamedLink href={deviceHref(device_id)} name={device} /> silent from <TimeText time={last_seen_at} />
        {recovered_at !== null && (
          <>
            {' '}
            to <TimeText time={recovered_at} />
          </>
        )}
      </li>
    ))}
  </ul>
)

function MetricLink({ metric, at }: { metric: Metric | undefined; at: number }) {
  if (!metric) return <>a metric that is gone</>
  const period = { from: at - AROUND_MS, to: at + AROUND_MS }
  return (
    <a href={metricHref(metric.device_id, metric.id, { period })}>
      <MetricName {...metric} />
    </a>
  )
}

const RuleLink = ({ id, name }: { id: string; name: string | undefined }) =>
  name === undefined ? <>a rule that is gone</> : <NamedLink href={ruleHref(id)} name={name} />
