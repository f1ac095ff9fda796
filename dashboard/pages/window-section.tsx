import type { Metric } from '../api/schemas.ts'
import type { HistoryEntry } from '../charts/history.ts'
import { formatCount, formatExpected, formatNumber } from '../format.ts'
import { CsvButton } from '../parts/csv-button.tsx'
import type { Column } from '../parts/data-table.tsx'
import { GrowingTable } from '../parts/growing-table.tsx'
import { ScoreText } from '../parts/score-text.tsx'
import { TimeText } from '../parts/time-text.tsx'
import { type MetricRoute, metricHref } from '../route.ts'
import { replaceRoute } from '../use-route.ts'
import { historyCsv } from './history-csv.ts'

const numberCell = (value: number | undefined) => (value === undefined ? '–' : formatNumber(value))

const columns: Column<HistoryEntry>[] = [
  { head: 'Window', cell: ({ windowStart }) => <TimeText time={windowStart} /> },
  { head: 'Count', cell: ({ window }) => numberCell(window?.count), numeric: true },
  { head: 'Median', cell: ({ window }) => numberCell(window?.median), numeric: true },
  { head: 'Min', cell: ({ window }) => numberCell(window?.min), numeric: true },
  { head: 'Max', cell: ({ window }) => numberCell(window?.max), numeric: true },
  { head: 'Expected', cell: ({ anomaly }) => formatExpected(anomaly?.expected ?? null), numeric: true },
  { head: 'Score', cell: ({ anomaly }) => scoreCell(anomaly), numeric: true },
]

function scoreCell(anomaly: HistoryEntry['anomaly']) {
  return anomaly?.state === 'learning' ? 'learning' : <ScoreText score={anomaly?.score ?? null} />
}

export interface WindowSectionProps {
  history: HistoryEntry[]
  metric: Metric
  route: MetricRoute
}

/** What the charts show, in words and numbers, newest first; drawn only when opened. */
export function WindowSection({ history, metric, route }: WindowSectionProps) {
  const { device_id, id, device, name, unit } = metric
  const remember = (table: boolean) => replaceRoute(metricHref(device_id, id, { ...route, table }))
  return (
    <div class="windows">
      <CsvButton name={`${device}-${name}`} make={() => historyCsv(history)} />
      <details open={route.table} onToggle={(event) => remember(event.currentTarget.open)}>
        <summary>
          {history.length === 1 ? 'One window' : `All ${formatCount(history.length)} windows`} as a table
          {unit !== null && ` (values in ${unit})`}
        </summary>
        {route.table && (
          <GrowingTable
            caption="Windows, newest first"
            columns={columns}
            rows={history.toReversed()}
            rowKey={({ windowStart }) => windowStart}
          />
        )}
      </details>
    </div>
  )
}
