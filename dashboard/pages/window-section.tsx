import { useState } from 'preact/hooks'
import type { HistoryEntry } from '../charts/history.ts'
import { formatExpected, formatNumber } from '../format.ts'
import type { Column } from '../parts/data-table.tsx'
import { GrowingTable } from '../parts/growing-table.tsx'
import { ScoreText } from '../parts/score-text.tsx'
import { TimeText } from '../parts/time-text.tsx'

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

/** What the charts show, in words and numbers, newest first; drawn only when opened. */
export function WindowSection({ history, unit }: { history: HistoryEntry[]; unit: string | null }) {
  const [open, setOpen] = useState(false)
  return (
    <details class="windows" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        {history.length === 1 ? 'One window' : `All ${formatNumber(history.length)} windows`} as a table
        {unit !== null && ` (values in ${unit})`}
      </summary>
      {open && (
        <GrowingTable
          caption="Windows, newest first"
          columns={columns}
          rows={history.toReversed()}
          rowKey={({ windowStart }) => windowStart}
        />
      )}
    </details>
  )
}
