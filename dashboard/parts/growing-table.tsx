import { useState } from 'preact/hooks'
import { formatNumber } from '../format.ts'
import { DataTable, type DataTableProps } from './data-table.tsx'

const STEP = 50

/** A table of rows already at hand, drawn a step at a time: thousands at once would hold the page up. */
export function GrowingTable<Row>({ rows, ...table }: DataTableProps<Row>) {
  const [shown, setShown] = useState(STEP)
  const left = rows.length - shown
  return (
    <>
      <DataTable {...table} rows={rows.slice(0, shown)} />
      {left > 0 && (
        <button type="button" class="more" onClick={() => setShown(shown + STEP)}>
          Show more ({formatNumber(left)} left)
        </button>
      )}
    </>
  )
}
