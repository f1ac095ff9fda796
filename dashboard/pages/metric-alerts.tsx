import type { Alert } from '../api/schemas.ts'
import type { Column } from '../parts/data-table.tsx'
import { GrowingTable } from '../parts/growing-table.tsx'
import { ScoreText } from '../parts/score-text.tsx'
import { TimeText } from '../parts/time-text.tsx'
import { AlertState } from './alert-table.tsx'

const columns: Column<Alert>[] = [
  { head: 'Window', cell: ({ window_end }) => <TimeText time={window_end} /> },
  { head: 'State', cell: (alert) => <AlertState alert={alert} /> },
  { head: 'Opened', cell: ({ opened_at }) => <TimeText time={opened_at} /> },
  { head: 'Score', cell: ({ score }) => <ScoreText score={score} />, numeric: true },
]

/** The alerts that the charts mark, newest first. */
export function MetricAlerts({ alerts }: { alerts: Alert[] }) {
  if (alerts.length === 0) return null
  return (
    <section aria-labelledby="metric-alerts">
      <h2 id="metric-alerts">Alerts</h2>
      <GrowingTable
        caption="Alerts of this metric, newest first"
        columns={columns}
        rows={alerts.toReversed()}
        rowKey={({ id }) => id}
        step={10}
      />
    </section>
  )
}
